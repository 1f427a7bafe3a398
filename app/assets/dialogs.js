/* What opens over the page: share, help, the exact prompt; and the one line that says what went wrong. */
"use strict";

(() => {
  const { el, fill, button } = Tiller;

  function open(title, ...content) {
    const close = button("Close", "Close (Esc)", () => dialog.close());
    const dialog = el("dialog", { class: "t-dialog", "aria-label": title }, el("header", {}, el("h2", {}, title), close), ...content);
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    // Esc closes the dialog and does nothing else.
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    document.body.append(dialog);
    dialog.showModal();
    return dialog;
  }

  Tiller.dialog = open;

  async function copy(field, done) {
    field.select();
    try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
    fill(done, "Copied.");
  }

  function copyable(label, value) {
    const field = el("input", { type: "text", readonly: true, value, "aria-label": label });
    const done = el("span", { class: "t-quiet", role: "status" });
    return el("div", { class: "t-copy" }, el("span", {}, label), field, button("Copy", "Copy it", () => copy(field, done)), done);
  }

  Tiller.share = () => {
    const view = Tiller.state.view;
    const page = copyable("Link to this chat", `${view.space || location.origin + location.pathname}?${view.link}`);
    const terminal = copyable("The same in the terminal", `python launch.py tui '${view.link}'`);
    const column = view.columns[view.selected];
    const others = copyable("For another chat program: this address (OpenAI-compatible) …", `${location.origin}${location.pathname.replace(/family\/[^/]+\/$/, "")}v1`);
    const model = copyable("… with this as the model: the checkpoint, and behind a colon its recipe", [`${view.family.name}/${column.checkpoint}`, column.recipe].filter(Boolean).join(":"));
    const words = view.whole
      ? "Whoever opens it finds these columns, recipes, settings and messages. The link holds them itself; nothing is stored."
      : "This chat is too long for a link: the link carries the columns, recipes and settings. Export carries the messages too.";
    const alone = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
    open("Share", el("p", {}, words),
      alone ? el("p", { class: "t-warning" }, "This address is this computer's own: nobody else's browser reaches it. Who has Tiller opens the same chat by putting what stands behind the ? behind the address of their own; for a public address, start with --share, or put it on the Hub for good: python launch.py space OWNER/NAME.") : null,
      page, terminal, others, model);
  };

  Tiller.help = () => {
    const rows = (pairs) => el("dl", {}, ...pairs.flatMap(([key, text]) => [el("dt", {}, key), el("dd", {}, text)]));
    const dialog = open("How to use this",
      el("div", { class: "t-row" },
        button("Explain what I touch", "Until it is ended, a press says what a thing does, and does nothing else.", () => { dialog.close(); Tiller.explain(); }),
        button("Take the tour", "The page in seven steps; it can be left at any time.", () => { dialog.close(); Tiller.tour(); }, { class: "t-button primary" })),
      el("p", {}, "Two copies of a model answer side by side: one as it is, one steered. Ask something, then drag a slider and watch the steered answer change. Every word is a token that you can point at: it shows how likely it was and what else the model might have said. On a touch screen, hold a button to be told what it does."),
      el("h3", {}, "Keys"),
      rows([
        ["Enter", "send the message (Shift + Enter: a new line)"], ["Esc", "stop what is being written"],
        ["← →", "on the answer: the token before or after; on a slider: a little less or more"],
        ["Enter", "on a token: pin it; once more: to its alternatives"], ["1 – 9", "on the answer: choose the colouring"],
        ["Tab", "everything else, in the order of the page"],
      ]),
      el("h3", {}, "Words"), ...Tiller.wordList(),
      el("h3", {}, Tiller.state.view.family.title), el("p", {}, Tiller.state.view.family.notes),
      rows(Tiller.state.view.family.checkpoints.filter((each) => each.notes).map((each) => [each.title, each.notes])));
  };

  Tiller.on("paper", (paper) => {
    if (paper.error) { Tiller.tell("notice", paper.error); return; }
    const tokens = el("ol", { class: "t-prompt-tokens" },
      ...paper.tokens.map(([id, text]) => el("li", { title: `token ${id}` }, text === "" ? "·" : text.replaceAll("\n", "⏎\n"))));
    open(`Exact prompt of ${paper.column}`,
      el("p", {}, `This is all that the model reads before it writes: ${paper.tokens.length} tokens.`, paper.note ? ` ${paper.note}` : ""),
      el("h3", {}, "Text"), el("pre", { tabindex: 0 }, paper.text), el("h3", {}, "Tokens"), tokens);
  });

  Tiller.on("file", (file) => {
    if (file.error || file.told) Tiller.tell("notice", file.error || file.told);
    if (!file.name) return;
    const address = URL.createObjectURL(new Blob([file.text], { type: file.type }));
    el("a", { href: address, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  });
})();
