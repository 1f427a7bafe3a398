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
  }

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
    const page = copyable("Link to this chat", `${location.origin}${location.pathname}?${view.link}`);
    const terminal = copyable("The same in the terminal", `python launch.py tui '${view.link}'`);
    const words = view.whole
      ? "Whoever opens it finds these columns, recipes, settings and messages. The link holds them itself; nothing is stored."
      : "This chat is too long for a link: the link carries the columns, recipes and settings. Export carries the messages too.";
    open("Share", el("p", {}, words), page, terminal);
  };

  Tiller.help = () => {
    const rows = (pairs) => el("dl", {}, ...pairs.flatMap(([key, text]) => [el("dt", {}, key), el("dd", {}, text)]));
    open("How to use this",
      el("p", {}, "Two copies of a model answer side by side: one as it is, one steered. Ask something, then drag a slider and watch the steered answer change. Every word is a token that you can point at: it shows how likely it was and what else the model might have said."),
      el("h3", {}, "Words"),
      rows([
        ["strength", "How far the model is pushed along a direction. 1 is the distance between its two kinds of example, such as true and false statements."],
        ["recipe", "What is done to the model while it writes, as one line: 1.5*refusal adds, !refusal removes, truth=0 holds, @base takes the direction learnt on another checkpoint, [3] or [2-4] names layers, :reply only the reply, ?refusal>0.5 only where refusal read above 0.5 at the token before; !neurons:entropy sets a set of neurons to their means."],
        ["useful", "The bar under a slider: the strengths that do something and leave the text whole. Beyond it damage grows, or nothing more is gained."],
        ["asked in words", "A column without steering, whose messages ask for what the recipe does: what steering has to be better than."],
        ["checkpoint", "The model as it was after one stage of its training."],
        ["changed", "Orange: the recipe made this token likelier. Blue: it made it less likely."],
        ["tick", "A mark under a slider where the answer is computed already, so that it appears at once."],
      ]),
      el("h3", {}, "Keys"),
      rows([
        ["Enter", "send the message (Shift + Enter: a new line)"], ["Esc", "stop what is being written"],
        ["← →", "on the answer: the token before or after; on a slider: a little less or more"],
        ["Enter", "on a token: pin it; once more: to its alternatives"], ["1 – 9", "on the answer: choose the colouring"],
        ["Tab", "everything else, in the order of the page"],
      ]),
      el("p", { class: "t-quiet" }, Tiller.state.view.family.notes));
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
    const address = URL.createObjectURL(new Blob([file.text], { type: file.type }));
    el("a", { href: address, download: file.name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  });
})();
