/* What is wrong with everything: a server that is gone, a model that cannot be loaded. What was written stays. And what was opened lives. */
"use strict";

(() => {
  const { el, fill, state } = Tiller;
  const EVERY = 1_000;          // milliseconds: so often the server is asked how it is
  const SLOW = 8_000;           // so long one that is there may take to answer
  const GONE = "Tiller's server does not answer. What you write stays here; start Tiller again, and this page goes on by itself.";
  const DRAFT = "tiller draft ";

  /* Answers that their columns did not write as they are now are made anew, without anybody's asking. */
  Tiller.on("view", () => { if (state.view.relive) Tiller.act("relive"); });

  /* Stands over the conversation while there is none to be had, and in the other tabs under the head. */
  Tiller.trouble = () => {
    const home = el("div", { class: "t-trouble", role: "alert", hidden: true });
    const show = () => {
      const broken = state.status && state.status.state === "failed" ? state.status.detail : "";
      const said = state.gone ? GONE : broken;
      home.hidden = !said;
      if (home.textContent !== said) fill(home, said);
    };
    for (const topic of ["status", "gone"]) Tiller.on(topic, show);
    return home;
  };

  /* ---- a server that is gone ---- */
  let asking = false;
  Tiller.on("status", () => be(false));

  function be(gone) {
    if (Boolean(state.gone) === gone) return;
    state.gone = gone;
    document.body.classList.toggle("t-gone", gone);
    Tiller.tell("gone");
  }

  async function ask() {
    if (asking || document.hidden || !state.view) return;
    asking = true;
    // Anything that it answers says that it is there; then the page's own connection comes back by itself, unless the family was closed
    // while nobody looked: its address opens it again.
    try {
      const answer = await fetch(`status?page=${encodeURIComponent(state.view.visit)}`, { cache: "no-store", signal: AbortSignal.timeout(SLOW) });
      be(false);
      if (answer.ok) Tiller.hear("status", await answer.text());
      else if (answer.status === 404 && location.pathname.includes("/family/")) location.reload();
    } catch { be(true); }
    asking = false;
  }
  setInterval(ask, EVERY);
  document.addEventListener("visibilitychange", ask);

  /* Nothing can be sent then: the message stays in its box, and the line over it says why. */
  addEventListener("submit", (event) => {
    if (!state.gone || !event.target.closest(".t-part")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    Tiller.tell("notice", GONE);
  }, true);

  /* When a page is left, Gradio's client ends its own connections, and then complains that they ended. These complaints alone are dropped. */
  const complain = console.error;
  const ENDED = /AbortError|Connection errored out/;
  console.error = (...said) => { if (window.event?.type !== "beforeunload" || !ENDED.test(said.join(" "))) complain.apply(console, said); };

  /* ---- drafts ---- */
  const box = () => document.querySelector(".t-send textarea");
  const key = () => DRAFT + (state.view ? state.view.family.name : "");

  function keep() {
    try {
      if (box().value) sessionStorage.setItem(key(), box().value);
      else sessionStorage.removeItem(key());
    } catch { /* a browser that keeps nothing */ }
  }

  addEventListener("input", (event) => { if (state.view && event.target === box()) keep(); });
  // After everybody else has heard of it: a message that was sent has left its box.
  Tiller.on("view", (before) => setTimeout(() => {
    if (!box()) return;
    if (before) { keep(); return; }
    let draft = "";
    try { draft = sessionStorage.getItem(key()) || ""; } catch { /* a browser that keeps nothing */ }
    if (!draft || box().value) return;
    box().value = draft;
    box().dispatchEvent(new Event("input", { bubbles: true }));
  }));
})();
