/* What stands beside each message: copying, its versions, going on, writing the model's answer; and answers as text instead of tokens. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;
  const SHAPE = "tiller shape";
  const PAUSE = 300;            // milliseconds between two times that an answer is set as text while it is written

  /* ------------------------------------------------------------------------------------------------------------ copying */

  /* Copy a text; the button says so. Where the page may not use the clipboard (a plain http address), the old way is taken. */
  async function copy(text, pressed) {
    try { await navigator.clipboard.writeText(text); } catch {
      const field = el("textarea", { value: text, class: "t-aloud", "aria-hidden": "true" });
      pressed.after(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    const was = pressed.textContent;
    fill(pressed, "Copied");
    setTimeout(() => { if (pressed.textContent === "Copied") fill(pressed, was); }, 1500);
  }

  function tool(text, title, act, more = {}) {
    return button(text, title, act, { ...more, class: "t-button t-tool" });
  }

  Tiller.copyTool = (what, text) => tool("Copy", `Copy ${what}.`, (event) => copy(text(), event.currentTarget), { "aria-label": `Copy ${what}` });

  /* ----------------------------------------------------------------------------------------------------------- versions */

  Tiller.messageTools = (turn, index) => el("span", { class: "t-tools" }, pager(index), Tiller.copyTool("this message", () => turn.user));

  /* What else was tried here: answers that were drawn again, and edits, each with what came after it. */
  function pager(turn) {
    const [place, count] = state.view.versions[turn] || [0, 1];
    if (count < 2) return null;
    const to = (text, name, other) => button(text, `Show the ${name} version of this turn, and what came after it.`, () => Tiller.act("version", { turn, place: other }),
      { class: "t-button t-tool", disabled: other < 0 || other >= count, "aria-label": `The version ${name === "next" ? "after" : "before"} this one` });
    return el("span", { class: "t-pager", title: "Versions of this turn: answers that were drawn again, and edits." }, to("‹", "earlier", place - 1), `${place + 1} / ${count}`, to("›", "next", place + 1));
  }

  /* -------------------------------------------------------------------------------------------------------- the answers */

  Tiller.answerTools = (turn, column, answer, text, cell) => {
    if (!text || state.view.recorded) return text ? [Tiller.copyTool("this answer", () => text)] : [];
    const more = answer && answer.more && !state.preview
      ? button("Continue", "Let the answer go on where it was cut off.", () => Tiller.act("go_on", { column }), { class: "t-button" }) : null;
    return [more, el("span", { class: "t-tools" }, Tiller.copyTool("this answer", () => text),
      tool("Rewrite", "Write the answer in the model's place, or how it begins; what is there stays as a version.", () => rewriting(turn, column, text, cell)))];
  };

  function rewriting(turn, column, text, cell) {
    if (cell.querySelector("form")) return;
    const box = el("textarea", { "aria-label": "The model's answer, edited", value: text, rows: 4 });
    const back = () => { form.remove(); cell.classList.remove("rewriting"); };
    const tell = (alone) => { const written = box.value; back(); Tiller.act("rewrite", { turn, column, text: written, alone }); };
    const form = el("form", { class: "t-editing t-rewriting" }, box, el("div", { class: "t-tools shown" },
      el("button", { type: "submit", class: "t-button primary", title: "The model goes on from this text." }, "Go on from this"),
      button("Keep as it is", "This is the whole answer.", () => tell(true)), button("Cancel", "Leave it as it was.", back)));
    form.addEventListener("submit", (event) => { event.preventDefault(); tell(false); });
    box.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); back(); } });
    cell.classList.add("rewriting");
    cell.append(form);
    box.focus();
  }

  /* ------------------------------------------------------------------------------------------------------ text or tokens */

  const chosen = () => { try { return localStorage.getItem(SHAPE) || "tokens"; } catch { return "tokens"; } };
  let shape = chosen();
  let shapes = { chat: "", turns: [] };

  /* The switch beside the colouring. */
  Tiller.shapeSwitch = () => {
    const radio = (name, words, title) => {
      const input = el("input", { type: "radio", name: "t-shape", value: name, checked: shape === name, onchange: () => choose(name) });
      return el("label", { title }, input, el("span", {}, words));
    };
    return el("div", { class: "t-choice t-shapes", role: "radiogroup", "aria-label": "Show answers as" },
      radio("tokens", "Tokens", "Every word as a coloured token that can be pointed at."),
      radio("text", "Text", "Headings, lists and code as the model meant them."));
  };

  function choose(name) {
    shape = name;
    try { localStorage.setItem(SHAPE, name); } catch { /* it holds until the page is closed */ }
    ask();
    Tiller.tell("shape");
  }

  const ask = Tiller.paced(PAUSE, () => { if (shape === "text" && state.view) Tiller.act("typeset"); });
  for (const topic of ["view", "answers"]) Tiller.on(topic, ask);
  Tiller.on("shapes", (told) => { shapes = told; Tiller.tell("shape"); });

  /* An answer as text, drawn from shapes; null while tokens are wanted, or it is not known yet. */
  Tiller.asText = (turn, column) => {
    const found = shape === "text" && !state.preview && shapes.chat === state.view.kept && shapes.turns[turn] ? shapes.turns[turn][column] : null;
    return found && found.length ? found.map(draw) : null;
  };

  /* The names are the server's, of a short list of its own; text stays text. An address is followed only when it is pressed. */
  function draw(shape) {
    if (typeof shape === "string") return shape;
    const [name, ...inside] = shape;
    if (name === "a") return el("a", { href: inside[0], title: inside[0], target: "_blank", rel: "noopener noreferrer nofollow" }, ...inside.slice(1).map(draw));
    const made = el(name, {}, ...inside.map(draw));
    return name === "pre" ? el("div", { class: "t-code" }, made, Tiller.copyTool("this code", () => made.textContent)) : name === "table" ? el("div", { class: "t-wide" }, made) : made;
  }
})();
