/* What a person sees first: in one line what this is, what was measured to work, and questions that this model can answer. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;
  const CLOSED = "tiller purpose closed";

  function closed() { try { return Boolean(localStorage.getItem(CLOSED)); } catch { return false; } }
  function close() { try { localStorage.setItem(CLOSED, "1"); } catch { /* it comes back with the next page */ } }

  Tiller.painters.chips = (home) => {
    const purpose = el("p", { class: "t-purpose", hidden: closed() });
    const rows = el("div", { class: "t-rows" });
    const real = Tiller.realModels();
    fill(home, purpose, rows);
    let drawn = "";
    Tiller.on("view", (before) => {
      const { family, purpose: said } = state.view;
      if (said === drawn) return;
      drawn = said;
      fill(purpose, el("span", {}, ...words(said)),
        button("Tour", "The page in seven steps; it can be left at any time.", () => Tiller.tour(), { class: "t-button t-small" }),
        button("×", "Hide this line; ? has it, too.", () => { purpose.hidden = true; close(); }, { class: "t-button t-close", "aria-label": "Hide this line" }));
      if (!before) fill(rows, group("Try", examples(family)), group("Ask", questions(family)), real);
    });
  };

  /* On a wide page all of Chat is one window high: whatever else wants room, the conversation keeps so many pixels, and these rows scroll. */
  const LEAST = 400, HEAD = 84;
  function makeRoom() {
    const taken = ["t-lens", "t-composer"].reduce((sum, id) => sum + document.getElementById(id).offsetHeight, 0);
    const strip = parseFloat(getComputedStyle(document.body).getPropertyValue("--t-strip")) || 0;
    document.body.style.setProperty("--t-rows", `${Math.max(40, innerHeight - HEAD - strip - taken - LEAST)}px`);
  }
  Tiller.on("view", (before) => {
    if (before) return;
    const watch = new ResizeObserver(makeRoom);
    for (const id of ["t-lens", "t-composer"]) watch.observe(document.getElementById(id));
    addEventListener("resize", makeRoom);
  });

  /* The sentence, with the word in it that a stranger may press. */
  function words(said) {
    const [before, ...after] = said.split("direction");
    return after.length ? [before, Tiller.word("direction"), after.join("direction")] : [before];
  }

  const examples = (family) => family.examples.map((each, index) =>
    button(each.title, each.note, () => Tiller.act("example", { index }), { class: "t-button t-chip" }));

  const questions = (family) => family.questions.map((each) =>
    button(each, "Ask this.", () => Tiller.act("send", { message: each }), { class: "t-button t-chip t-question" }));

  function group(name, chips) {
    return chips.length ? el("div", { class: "t-try", role: "group", "aria-label": name }, el("span", { class: "t-quiet" }, name), ...chips) : null;
  }
})();
