/* The conversation: a head for each column, and turn by turn what was said and what each column answered. */
"use strict";

(() => {
  const { el, fill, button, options, state } = Tiller;
  const MAX_COLUMNS = 4;

  Tiller.painters.columns = (home) => {
    const heads = el("div", { class: "t-heads" });
    const turns = el("div", { class: "t-turns", tabindex: -1 });
    const live = new Live();
    fill(home, Tiller.trouble(), heads, turns);
    let bottom = true;
    turns.addEventListener("scroll", () => { bottom = turns.scrollHeight - turns.scrollTop - turns.clientHeight < 60; });
    let due = 0;
    // Once a frame, after everything else has been drawn: to ask how high it is has the browser lay out the page at once.
    const follow = () => { due = due || requestAnimationFrame(() => { due = 0; if (bottom) turns.scrollTop = turns.scrollHeight; }); };

    Tiller.on("view", (before) => {
      const view = state.view;
      home.style.setProperty("--columns", view.columns.length);
      heads.classList.toggle("many", view.columns.length > 2);
      drawHeads(heads, view);
      if (structure(before) !== structure(view)) {
        drawTurns(turns, view, live);
        if (!before || before.turns.length !== view.turns.length) bottom = true;
      }
      live.show();
      follow();
    });
    for (const topic of ["answers", "preview", "status", "shape"]) Tiller.on(topic, () => { live.show(); follow(); });
    for (const topic of ["token", "lens"]) Tiller.on(topic, () => live.recolour());
    new MutationObserver(() => live.recolour()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };

  /* What the turns are drawn from; a change of anything else leaves them as they are. */
  function structure(view) {
    if (!view) return "";
    const past = view.turns.map((turn, index) => (index < view.turns.length - 1 ? turn : turn.user));
    return JSON.stringify([past, view.columns.map((c) => [c.checkpoint, c.recipe, c.asks]), view.selected, view.running, view.recorded, view.unread, view.versions, !view.turns.length && view.sliders.length]);
  }

  function drawHeads(heads, view) {
    while (heads.children.length > view.columns.length) heads.lastChild.remove();
    view.columns.forEach((column, index) => {
      const head = heads.children[index] || heads.appendChild(newHead(index));
      const chosen = index === view.selected;
      head.classList.toggle("selected", chosen);
      head.querySelector(".t-pick").setAttribute("aria-pressed", chosen);
      const titles = new Map(view.family.checkpoints.map((c) => [c.name, c.title]));
      const groups = new Map(view.family.checkpoints.map((c) => [c.name, c.group]));
      options(head.querySelector("select"), [...titles.keys()], column.checkpoint, (name) => titles.get(name), (name) => groups.get(name),
        (name) => view.family.checkpoints.find((c) => c.name === name).absent);
      head.querySelector("select").title = view.family.checkpoints.find((c) => c.name === column.checkpoint)?.notes
        || ["The model as it was after one stage of its training.", view.family.shortened].filter(Boolean).join(" ");
      // On a phone another column shows nothing but this: its name, where that is not the selected one's.
      const other = column.checkpoint !== view.columns[view.selected].checkpoint;
      const name = other ? el("span", { class: "t-whose" }, titles.get(column.checkpoint)) : null;
      head.classList.toggle("named", other && !column.recipe && !column.asks);
      fill(head.querySelector(".t-pick"), name, el("code", {}, column.does));
      head.querySelector(".t-pick").title = column.error || (column.asks ? `Each message is put so: ${column.asks}` : chosen ? "The sliders act on this column." : "Let the sliders act on this column.");
      head.classList.toggle("wrong", Boolean(column.error));
      head.querySelector(".t-close").hidden = view.columns.length < 2;
      head.querySelector(".t-add").hidden = index < view.columns.length - 1 || view.columns.length >= MAX_COLUMNS;
    });
  }

  function newHead(index) {
    const select = el("select", { "aria-label": `Checkpoint of column ${index + 1}` });
    select.addEventListener("change", () => Tiller.act("checkpoint", { column: index, checkpoint: select.value }));
    return el("div", { class: "t-head" }, select,
      el("button", { type: "button", class: "t-pick", "aria-label": `Steer column ${index + 1}`, onclick: () => Tiller.act("select", { column: index }) }),
      button("×", "Close this column.", () => Tiller.act("close_column", { column: index }), { class: "t-button t-close", "aria-label": `Close column ${index + 1}` }),
      el("button", { type: "button", class: "t-button t-add", title: "One more column beside these.", "aria-label": "+ column", onclick: () => Tiller.act("add_column") },
        "+", el("span", {}, " column")));
  }

  function drawTurns(turns, view, live) {
    live.reset(view);
    past = [];
    if (!view.turns.length) { fill(turns, welcome(view)); return; }
    fill(turns, ...view.turns.map((turn, index) => {
      const last = index === view.turns.length - 1;
      const cells = view.columns.map((_, column) => (last ? live.cells[column].home : pastCell(view, turn, column, index)));
      return el("article", { class: "t-turn" }, userLine(view, turn, index), last ? banner(view) : null, last ? live.point : null, el("div", { class: "t-replies" }, ...cells));
    }));
  }

  function welcome(view) {
    const steered = view.columns.find((column) => column.recipe);
    const begin = view.family.examples.length ? "Ask something below, or choose an example above." : "Ask something below.";
    const then = steered ? "Every column answers the same message."
      : view.sliders.length ? "Then drag a slider: the answer of the selected column changes with it."
      : "The answer can be steered once a direction has been learnt.";
    return el("div", { class: "t-welcome" }, el("p", {}, begin), el("p", { class: "t-quiet" }, then));
  }

  function banner(view) {
    if (view.recorded) return el("div", { class: "t-banner" }, el("b", {}, "recorded"), " This answer was recorded earlier. ", liveButton("Run it live"));
    if (view.unread && !view.running) return el("div", { class: "t-banner" }, "This chat was written before. ", liveButton("Answer again"));
    return null;
  }

  function liveButton(text) { return button(text, "Ask the model the same now.", () => Tiller.act("retry")); }

  function userLine(view, turn, index) {
    const words = el("div", { class: "t-words" }, turn.user);
    const line = el("div", { class: "t-user" }, words);
    const edit = button("Edit", "Change this message; what came after it stays as a version.", () => editing(line, words, turn.user, index), { class: "t-button t-tool t-edit" });
    line.append(Tiller.messageTools(turn, index), edit);
    return line;
  }

  function editing(line, words, text, turn) {
    const box = el("textarea", { "aria-label": "Your message, edited", value: text, rows: 2 });
    const back = () => { line.querySelector("form").replaceWith(words); line.querySelector(".t-edit").hidden = false; };
    const form = el("form", { class: "t-editing" }, box, el("button", { type: "submit", class: "t-button primary" }, "Send"), button("Cancel", "Leave it as it was.", back));
    form.addEventListener("submit", (event) => { event.preventDefault(); Tiller.act("edit", { turn, message: box.value }); });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); form.requestSubmit(); }
      if (event.key === "Escape") { event.stopPropagation(); back(); }
    });
    words.replaceWith(form);
    line.querySelector(".t-edit").hidden = true;
    box.focus();
  }

  function pastCell(view, turn, column, index) {
    const words = el("div", { class: "t-past" });
    const show = () => {
      const set = Tiller.asText(index, column);
      words.className = set ? "t-text" : "t-past";
      fill(words, ...(set || [turn.replies[column] || "—"]));
    };
    const cell = el("div", { class: "t-cell" + (column === view.selected ? " selected" : "") }, words);
    cell.append(el("footer", { class: "t-foot" }, ...Tiller.answerTools(index, column, null, turn.replies[column] || "", cell)));
    past.push(show);
    show();
    return cell;
  }

  let past = [];                // what draws the answers of earlier turns, as tokens' text or as set text
  Tiller.on("shape", () => { for (const show of past) show(); });

  /* The cells of the last turn, drawn on while the answers come. */
  class Live {
    constructor() { this.cells = []; this.point = Tiller.pointLine(); }

    reset(view) {
      const old = this.cells;
      this.cells = view.columns.map((column, index) => old[index] || new Cell(index));
      this.cells.forEach((cell, index) => cell.home.classList.toggle("selected", index === view.selected));
    }

    show() { for (const cell of this.cells) cell.show(); }
    recolour() { for (const cell of this.cells) cell.strip.recolour(); }
  }

  const column = (view, index) => `${view.columns[index].checkpoint}, ${view.columns[index].recipe || "plain"}${view.columns[index].older && !view.running ? ` (${view.columns[index].older})` : ""}`;

  class Cell {
    constructor(index) {
      this.index = index;
      this.strip = new Tiller.Strip(index, "");
      this.note = el("p", { class: "t-note" });
      this.text = el("div", { class: "t-past" });
      this.set = el("div", { class: "t-text" });
      this.foot = el("footer", { class: "t-foot" });
      this.aloud = el("p", { class: "t-aloud", role: "status" });      // for screen readers, once the answer is whole
      this.asks = el("p", { class: "t-asked" });
      this.home = el("div", { class: "t-cell", onclick: () => this.select() }, this.asks, this.note, this.text, this.strip.home, this.set, this.foot, this.aloud);
    }

    show() {
      const answer = Tiller.shown(this.index), view = state.view;
      const turn = view && view.turns[view.turns.length - 1];
      const older = this.older(answer);
      const asks = view && view.columns[this.index] ? view.columns[this.index].asks : "";
      fill(this.asks, asks ? `asked in words: ${asks.replace("{message}", turn ? turn.user : "…")}` : "");
      this.strip.show(answer);
      if (turn) this.strip.home.setAttribute("aria-label", `Answer of ${column(view, this.index)}, token by token`);
      const set = turn ? Tiller.asText(view.turns.length - 1, this.index) : null;
      fill(this.set, ...(set || []));
      this.strip.home.hidden = this.text.hidden = Boolean(set);
      this.home.classList.toggle("older", Boolean(older));
      fill(this.note, answer ? answer.note : "");
      fill(this.text, answer ? (answer.tokens.length ? "" : answer.older) : turn ? turn.replies[this.index] || "" : "");
      const waiting = view && view.running && (!answer || (!answer.done && !answer.tokens.length));
      this.home.classList.toggle("writing", Boolean(view && view.running && answer && !answer.done));
      fill(this.foot, ...this.ending(answer, waiting), older ? el("span", { class: "t-by" }, older) : null, this.again(older), ...this.tools(turn, answer));
      const whole = answer && answer.done && !state.preview ? `${column(view, this.index)}: ${answer.tokens.filter((token) => !token[7]).map((token) => token[0]).join("")}` : "";
      if (this.aloud.textContent !== whole) fill(this.aloud, whole);
      this.home.classList.toggle("failed", Boolean(answer && answer.error));
    }

    tools(turn, answer) {
      if (!turn || state.view.running || (answer && !answer.done)) return [];
      const said = answer ? answer.tokens.filter((token) => !token[7]).map((token) => token[0]).join("") : turn.replies[this.index] || "";
      return Tiller.answerTools(state.view.turns.length - 1, this.index, answer, said, this.home);
    }

    /* A press anywhere on a column's answer lets the sliders act on it. */
    select() {
      if (state.view && state.view.selected !== this.index && !String(getSelection())) Tiller.act("select", { column: this.index });
    }

    ending(answer, waiting) {
      if (waiting) return [el("span", {}, patience())];
      if (!answer || !answer.done) return [];
      if (answer.error) return [el("span", { class: "t-error", role: "alert" }, answer.error)];
      const said = answer.tokens.some((token) => !token[7]);
      const empty = said ? null : el("span", {}, answer.tokens.length ? "The model thought, and had not answered yet." : "The model ended at once and wrote nothing.");
      const marked = answer.reason ? el("span", { class: answer.reason === "stopped" ? "t-reason" : "" }, answer.reason) : null;
      const { sampling } = state.view, seed = sampling.temperature > 0 ? ` · seed ${sampling.seed}` : "";
      return [empty, marked, el("span", {}, `${answer.tokens.length} tokens${seed}`)];
    }

    /* Who wrote what stands here, where that is not the column as it is: it is shown pale, and stands for nothing. */
    older(answer) {
      const now = state.view && state.view.columns[this.index];
      if (!now || !state.view.turns.length) return "";
      if (answer && answer.older && !answer.tokens.length) return answer.olderBy;
      return state.preview && state.preview.column === this.index || state.view.running && answer && !answer.done ? "" : now.older;
    }

    again(older) {
      if (!older || state.view.running || state.view.recorded) return null;
      return button("Answer again", "Let every column answer as it is now.", () => Tiller.act("relive"));
    }
  }

  function patience() {
    const now = state.status;
    return now && (now.state === "starting" || now.state === "loading") ? "Waiting for the model to be loaded …" : "…";
  }
})();
