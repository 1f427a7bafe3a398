/* The head of the page: what runs, how it is, what can be taken away. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;
  const WORDS = { starting: "starting", loading: "loading", ready: "ready", busy: "answering", failed: "failed" };

  Tiller.painters.header = (home) => {
    const family = button("", "Open another family, or a model of your own.", () => Tiller.families(), { class: "t-button t-family", "aria-haspopup": "dialog" });
    const light = el("span", { class: "t-light", "aria-hidden": "true" });
    const words = el("span", {});
    const stop = button("Cancel", "Do not load it; the next message loads it after all.", () => Tiller.act("cancel_loading"));
    const status = el("div", { class: "t-status", role: "status" }, light, words, stop);
    const menu = el("details", { class: "t-menu" },
      el("summary", { class: "t-button", title: "Take this chat away as a file." }, "Export"),
      el("div", {},
        button("Markdown, to read", "The messages and recipes as a text file.", () => take("markdown")),
        button("JSON, with every number", "The whole chat with every token's readings.", () => take("json")),
        button("Page with sliders", "Your last message as a web page without a server: its answers at every strength, and who taught it that. Takes a few answers' time.",
          () => { menu.open = false; Tiller.act("export_page"); })));
    const take = (kind) => { menu.open = false; Tiller.act("export", { kind }); };
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
    fill(home,
      el("h1", {}, el("span", { class: "t-mark", "aria-hidden": "true" }), "Tiller"), family, status, Tiller.jobs(),
      el("nav", { "aria-label": "This chat" },
        button("Chats", "Every chat that this browser keeps.", () => Tiller.chats(), { "aria-haspopup": "dialog" }),
        button("New chat", "Begin anew with the same columns; Undo brings this chat back.", () => Tiller.act("clear")),
        button("Share", "A link that opens this chat as it is.", () => Tiller.share()), menu,
        Tiller.viewMenu(), button("?", "What the words and the keys mean.", () => Tiller.help(), { "aria-label": "Help" })),
      Tiller.elsewhere(), Tiller.trouble());
    Tiller.on("view", show);
    Tiller.on("view", () => { fill(family, el("span", {}, state.view.family.title), " ▾"); });
    for (const topic of ["status", "gone"]) Tiller.on(topic, () => {
      const now = state.gone ? { ...state.status, state: "failed", progress: null } : state.status;
      light.dataset.state = now.state;
      status.title = [now.detail, now.plan].filter(Boolean).join("\n");
      // Before anything of it is there (the libraries are loaded), there is nothing to cancel.
      stop.hidden = now.state !== "loading" || now.progress === null;
      fill(words, summary(now));
    });
  };

  /* Gradio draws the tabs; which one is open is said by the chat's settings, so that a link opens it. */
  const present = () => document.querySelector('#t-tabs [role="tab"][aria-selected="true"]');
  const wanted = (name) => document.getElementById(`t-tab-${name}-button`);

  function show() {
    const button = wanted(state.view.tab);
    if (button && button !== present()) button.click();
  }

  Tiller.opened = (name) => { if (state.view && state.view.tab !== name) { state.view.tab = name; Tiller.act("tab", { tab: name }); } };

  function summary(now) {
    // The whole sentence stands over the conversation.
    if (now.state === "failed") return state.gone ? "the server is gone" : "no model";
    if (now.state === "starting" || now.state === "loading") {
      const part = now.progress === null ? "…" : `${Math.round(100 * now.progress)} %`;
      return [`${now.detail.replace(/\.$/, "")} ${part}`, now.plan].filter(Boolean).join(" · ");
    }
    if (now.state === "ready" && now.detail !== "Ready.") return now.detail;
    const where = now.device === "cpu" ? `${now.threads} ${now.threads === 1 ? "core" : "cores"}` : now.device;
    const speed = now.tokens_per_second ? ` · ${now.tokens_per_second < 10 ? Number(now.tokens_per_second.toPrecision(2)) : Math.round(now.tokens_per_second)} tok/s` : "";
    return `${WORDS[now.state]} · ${where}${speed}`;
  }
})();
