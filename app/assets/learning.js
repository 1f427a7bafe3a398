/* Where a checkpoint lacks directions: one button that learns them, and how far that is. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;
  const WHOLE = "It goes on while you chat.";

  /* A line for the selected column's checkpoint; hidden where nothing is lacking. */
  Tiller.learningLine = () => {
    const words = el("span", { class: "t-lacking" });
    const begin = button("", WHOLE, () => Tiller.act("learn"), { class: "t-button primary" });
    const bar = el("progress", { max: 1, "aria-label": "How much is learnt" });
    const cancel = button("Cancel", "What was found out so far is kept for the next time.", () => Tiller.act("cancel_learning"));
    const home = el("div", { class: "t-learning", role: "status" }, words, bar, begin, cancel);
    let went = "";               // the checkpoints that were being learnt on when the status came last, and how much was written

    function draw() {
      const column = state.view && state.view.columns[state.view.selected];
      const here = column && state.status && state.status.learning[column.own];
      home.hidden = !here;
      if (!here) return;
      const ready = ["ready", "busy"].includes(state.status.state);
      begin.hidden = here.running;
      cancel.hidden = bar.hidden = !here.running;
      begin.disabled = !ready;
      fill(begin, here.offer);
      if (here.running) bar.value = here.part;
      words.classList.toggle("wrong", here.failed);
      fill(words, here.said || `${column.own} has no ${here.lacking} yet.`);
    }

    Tiller.on("view", draw);
    Tiller.on("status", () => {
      const goes = Object.entries(state.status.learning).filter(([, each]) => each.running).map(([name, each]) => `${name} ${each.written}`).join();
      // What was written, or has ended, may be something to slide and to colour by.
      if (went && goes !== went) Tiller.act("learnt");
      went = goes;
      draw();
    });
    return home;
  };
})();
