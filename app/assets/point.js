/* What the last answers show, in a sentence: as the server worked it out from them. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;

  Tiller.pointLine = () => {
    const home = el("p", { class: "t-point", role: "status", hidden: true });
    function draw() {
      const point = state.view && !state.view.running && !state.preview ? state.view.point : null;
      home.hidden = !point;
      if (!point) return;
      const how = point.tab ? button("How do we know?", "Measure it, against every stage and against chance.", () => measure(point.tab), { class: "t-button t-small" }) : null;
      fill(home, el("b", {}, point.claim), " ", point.ground, how ? " " : null, how);
    }
    for (const topic of ["view", "preview"]) Tiller.on(topic, draw);
    return home;
  };

  /* The tab takes the answer from the chat and measures it at once; what is in it is made when it is first opened. */
  function measure(tab) {
    document.getElementById(`t-tab-${tab}-button`).click();
    const press = () => {
      const known = document.getElementById(`t-${tab}-know`);
      if (known) known.click(); else setTimeout(press, 50);
    };
    press();
  }

  /* How much is taken of what there is, before anything has to be cut off or given up: of the context, and of the memory. */
  Tiller.gauges = () => el("span", { class: "t-gauges" },
    gauge("How much memory the models take", "What the models that are loaded take of the memory that they may have: what does not fit is given up, and loaded again when it is wanted.", ["status"], () => {
      const { held, free, words } = state.status.memory || {};
      return held ? [free == null ? null : held / (held + free), `memory ${words}`] : null;
    }),
    gauge("How full the context is", "How many of the tokens that the model can read at once the selected column's chat takes, its answer included. What is too long loses its beginning, and that is said.", ["view", "answers"], () => {
      const answer = state.view && state.answers[state.view.selected];
      const [prompt, context] = answer && answer.filled ? answer.filled : [0, 0];
      const taken = context ? prompt + answer.tokens.length : 0;
      return context ? [taken / context, `context ${taken.toLocaleString("en")} of ${context.toLocaleString("en")} tokens`] : null;
    }));

  /* A small meter with words; `found` gives the part and the words, or nothing. A part that is not known has no meter. */
  function gauge(name, title, topics, found) {
    const meter = el("meter", { min: 0, max: 1, low: 0.7, high: 0.9, optimum: 0, "aria-label": name });
    const words = el("span", {});
    const home = el("span", { class: "t-gauge", hidden: true, title }, meter, words);
    for (const topic of topics) Tiller.on(topic, () => {
      const now = found();
      home.hidden = !now;
      if (!now) return;
      meter.hidden = now[0] == null;
      if (!meter.hidden) meter.value = now[0];
      fill(words, now[1]);
    });
    return home;
  }

  /* What is new is in sight: on a phone the page scrolls to it, below what stays at its bottom. */
  Tiller.on("view", (before) => {
    const { view } = state;
    if (!before || before.running || !view.running || matchMedia("(min-width: 900px) and (min-height: 560px)").matches) return;
    requestAnimationFrame(() => document.querySelector(".t-turn:last-child")?.scrollIntoView({ block: "start", behavior: "instant" }));
  });

  /* What a press brings in another tab is in sight, too: one that would stand near the lower end of the screen comes up. */
  Tiller.inSight = (id) => requestAnimationFrame(() => {
    const home = document.getElementById(id);
    if (home && home.getBoundingClientRect().top > 0.75 * innerHeight) home.scrollIntoView({ block: "start", behavior: "instant" });
  });

  /* Where there is no room for a panel, the reading of a token that was chosen is a sheet from below. */
  Tiller.on("token", () => {
    const pinned = Boolean(state.token && state.token.pinned);
    document.body.classList.toggle("t-sheet", pinned);
    // The details would cover it.
    if (pinned) document.querySelector(".t-details")?.removeAttribute("open");
  });

  /* The details are a sheet, too: it can be closed where it stands. */
  document.addEventListener("toggle", (event) => {
    const details = event.target;
    if (!details.matches || !details.matches(".t-details") || !details.open) return;
    const fields = details.querySelector(".t-fields");
    if (!fields.querySelector(".t-shut")) fields.prepend(el("p", { class: "t-sheet-title" }, "How answers are written"), button("Close", "Close (Esc)", () => { details.open = false; details.querySelector("summary").focus(); }, { class: "t-button t-shut" }));
  }, true);
  document.addEventListener("keydown", (event) => {
    const details = event.key === "Escape" && !state.view?.running ? document.querySelector(".t-details[open]") : null;
    if (details) { event.preventDefault(); details.open = false; details.querySelector("summary").focus(); }
  });
})();
