/* A strip of tokens: an answer, drawn token by token, each a thing that can be pointed at, focused and read. */
"use strict";

(() => {
  const { el, state } = Tiller;

  class Strip {
    constructor(column, name) {
      this.column = column;
      this.answer = null;
      this.spans = [];
      this.fold = null;                                                // the thought that is being drawn
      this.home = el("div", { class: "t-strip", role: "group", "aria-label": `Answer ${name}, token by token` });
      this.home.addEventListener("keydown", (event) => this.key(event));
      this.home.addEventListener("pointerover", (event) => this.point(event));
      this.home.addEventListener("click", (event) => this.pin(event));
      this.home.addEventListener("focusin", (event) => this.focused(event));
    }

    /* Draw an answer; one that has only grown is drawn on. */
    show(answer) {
      const tokens = answer ? answer.tokens : [];
      if (answer !== this.answer || tokens.length < this.spans.length) {
        const hadFocus = this.home.contains(document.activeElement) ? this.place(document.activeElement) : -1;
        this.home.replaceChildren();
        this.spans = [];
        this.fold = null;
        this.answer = answer;
        this.draw(tokens);
        if (hadFocus >= 0 && this.spans.length) this.move(Math.min(hadFocus, this.spans.length - 1));
      } else if (tokens.length > this.spans.length) this.draw(tokens);
    }

    draw(tokens) {
      const joins = new Map(this.answer ? this.answer.joins.map(([index, recipe]) => [index, recipe]) : []);
      const paint = painter();
      for (let index = this.spans.length; index < tokens.length; index++) {
        this.turn(tokens[index][7]);
        const home = this.fold || this.home;
        if (joins.has(index)) home.append(join(joins.get(index)));
        const span = el("span", { class: "t-token" + (tokens[index][5] ? " given" : ""), role: "button" }, tokens[index][0]);
        // What is folded cannot take the focus: the first word that is said does, and the fold has its own.
        span.tabIndex = !this.fold && this.spans.every((each) => each.tabIndex < 0) ? 0 : -1;
        span.dataset.index = index;
        this.dress(span, tokens[index], index, paint);
        this.spans.push(span);
        home.append(span);
      }
      const thought = tokens.filter((token) => token[7]).length;
      for (const summary of this.home.querySelectorAll(".t-thought > summary")) summary.textContent = `Thought, ${thought} tokens`;
    }

    /* What the model thinks before it answers is folded. */
    turn(thought) {
      if (thought && !this.fold) {
        this.fold = el("details", { class: "t-thought" }, el("summary", {}));
        this.home.append(this.fold);
      } else if (!thought) this.fold = null;
    }

    dress(span, token, index, paint) {
      const [ground, ink, words, letter] = paint(token);
      if (letter) span.dataset.stage = letter; else delete span.dataset.stage;
      span.style.backgroundColor = ground;
      span.style.color = ink;
      span.setAttribute("aria-label", `${token[0].trim() || "space"}, ${words}`);
      const chosen = state.token && state.token.column === this.column && state.token.index === index;
      span.classList.toggle("chosen", Boolean(chosen));
      span.classList.toggle("pinned", Boolean(chosen && state.token.pinned));
    }

    /* Another colouring, another chosen token, the light or the dark page. */
    recolour() {
      const paint = painter();
      this.spans.forEach((span, index) => this.dress(span, this.answer.tokens[index], index, paint));
    }

    place(node) {
      const span = node.closest ? node.closest(".t-token") : null;
      return span ? Number(span.dataset.index) : -1;
    }

    point(event) { if (event.pointerType !== "touch") this.choose(this.place(event.target)); }
    focused(event) { this.choose(this.place(event.target)); }
    choose(index) { if (index >= 0) Tiller.choose(this.column, index); }

    pin(event) {
      const index = this.place(event.target);
      if (index < 0) return;
      const same = state.token && state.token.pinned && state.token.column === this.column && state.token.index === index;
      if (same) Tiller.release(); else Tiller.choose(this.column, index, true);
    }

    move(index) {
      const to = Math.max(0, Math.min(this.spans.length - 1, index));
      for (const span of this.spans) span.tabIndex = -1;
      const fold = this.spans[to].closest("details");
      if (fold) fold.open = true;
      this.spans[to].tabIndex = 0;
      this.spans[to].focus({ preventScroll: false });
      if (state.token && state.token.pinned) Tiller.choose(this.column, to, true);
    }

    key(event) {
      const index = this.place(event.target);
      if (index < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
      const jumps = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: this.spans.length - 1 };
      if (event.key in jumps) this.move(jumps[event.key]);
      else if (event.key === "Enter" || event.key === " ") this.enter(index);
      else if (/^[1-9]$/.test(event.key)) Tiller.tell("digit", Number(event.key));
      else return;
      event.preventDefault();
    }

    /* The first Enter pins the token, the second goes on to its alternatives. */
    enter(index) {
      const token = state.token;
      if (token && token.pinned && token.column === this.column && token.index === index) Tiller.tell("alternatives", this.spans[index]);
      else Tiller.choose(this.column, index, true);
    }
  }

  function join(recipe) {
    return el("span", { class: "t-join", title: "From here on the answer was written with this recipe." }, recipe || "plain");
  }

  /* token -> [background, ink, words, letter of its stage] under the chosen lens */
  function painter() {
    const place = state.view ? state.view.lenses.findIndex((lens) => lens.name === state.view.lens) : -1;
    const lens = state.view ? state.view.lenses[place] : null;
    return (token) => {
      const words = token[2].map(([label, text]) => `${label} ${text}`).join(", ");
      const shade = lens ? token[1][place] : null;
      if (shade === null || shade === undefined) return ["", "", words, ""];
      return [...lens[Tiller.dark() ? "dark" : "light"][shade], words, token[6][place] || ""];
    };
  }

  Object.assign(Tiller, { Strip });
})();
