/* A real model beside the toy: what can be got and what that takes, how far it is, and the way to it once it is here. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;
  let open = null;              // what the open dialog draws with

  /* The line beside a toy's chips: every real model that is here or can be got; on a real one's own page, that it can be got. */
  Tiller.realModels = () => {
    const home = el("div", { class: "t-try t-real", role: "group", "aria-label": "A real model", hidden: true });
    const draw = () => {
      const own = state.view ? state.view.family : {};
      const others = (state.real || []).filter((each) => each.text === own.name ? each.offer : own.toy);
      home.hidden = !others.length;
      fill(home, el("span", { class: "t-quiet" }, el("span", {}, "Chat with a "), "real model"), ...others.map((each) => button(
        `${[each.title, each.parameters].filter(Boolean).join(", ")} · ${each.offer ? `get it (${each.offer.size})` : "open"}`,
        each.offer ? "What would come, and from where, before anything is fetched." : "It is on this computer; this chat is kept.",
        (event) => { if (each.offer) Tiller.getWeights(each.text); else openIt(each.text, event.currentTarget, (sentence) => Tiller.tell("notice", sentence)); },
        { class: "t-button t-chip" })));
    };
    Tiller.on("view", (before) => { if (!before) draw(); });
    Tiller.on("shelf", (shelf) => { if (shelf.real) { state.real = shelf.real; draw(); } });
    return home;
  };

  function openIt(text, pressed, says) {
    pressed.disabled = true;
    Tiller.openFamily(text, "", (sentence) => { pressed.disabled = false; says(sentence); });
  }

  Tiller.getWeights = (text) => {
    const found = (state.real || []).find((each) => each.text === text);
    if (!found || !found.offer) return;
    const said = el("p", { role: "status" });
    const bar = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "How much of it has come" });
    const get = button("Get it", "Download it now.", () => {
      get.hidden = true; bar.hidden = false; stop.hidden = false;
      fill(said, "Asking the package index …");
      Tiller.act("get_weights", { text });
    }, { class: "t-button primary" });
    const stop = button("Cancel", "End the download; nothing of it is kept.", () => { stop.disabled = true; Tiller.act("cancel_weights", { text }); }, { hidden: true });
    const go = button("Open", "Open it; this chat is kept, and comes back with its family.", () => { fill(said, "Opening …"); openIt(text, go, (sentence) => fill(said, sentence)); }, { class: "t-button primary", hidden: true });
    const dialog = Tiller.dialog(`Get ${found.title}`,
      el("dl", {}, ...found.offer.rows.flatMap(([name, words]) => [el("dt", {}, name), el("dd", {}, words)])),
      bar, said, el("div", { class: "t-row t-gets" }, stop, go, get));
    dialog.classList.add("t-getting");
    dialog.addEventListener("close", () => { open = null; });
    open = { text, said, bar, get, stop, go };
    get.focus();
  };

  Tiller.on("shelf", ({ getting }) => {
    if (!getting || !open || getting.text !== open.text) return;
    const { said, bar, get, stop, go } = open, coming = getting.state === "coming", done = getting.state === "done";
    fill(said, done ? "It is here, and opens from now on without a network." : getting.said);
    said.classList.toggle("wrong", getting.state === "failed");
    bar.hidden = !coming;
    bar.value = getting.part;
    stop.hidden = !coming;
    if (!coming) stop.disabled = false;
    go.hidden = !done;
    get.hidden = coming || done;
    if (done) go.focus();
  });
})();
