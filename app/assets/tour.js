/* A short tour of the page: one thing after the other is pointed at. It can be left at any time, and called again. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;
  const STEPS = [
    ["#t-chips", "Begin here", "Each of these asks a question and shows in a sentence what came of it. Press one now if you like; the tour goes on."],
    ["#t-columns", "The same question, more than once", "Every column answers the same message. The menu at its head says which checkpoint answers; beside it stands what is done to it. Press a column to choose it."],
    ["#t-steering", "Push it", "These sliders push the chosen column along a direction, and its answer turns while you drag. The bar beneath a slider is where that is of use."],
    ["#t-columns .t-strip", "Every word can be asked", "Point at a word, or tap it: how likely it was, and what else the model might have said. Choose one of those, and the answer goes on from it."],
    ["#t-lens", "What the colours mean", "“changed” shows which words the push made likelier; “blame” to which stage of the training each one is owed."],
    ["#t-composer", "Ask it yourself", "Write a message, and all columns answer. “Details” has the temperature and the longest answer."],
    ["#t-tabs [role=tablist]", "And then", "Blame, Transfer, Inspect and Library measure what you see here, and learn new directions. “?” explains every word, and begins this tour again."],
  ];
  let box = null, at = 0;

  function place() {
    const [where, title, text] = STEPS[at];
    for (const each of document.querySelectorAll(".t-toured")) each.classList.remove("t-toured");
    const target = [...document.querySelectorAll(where)].find((each) => each.offsetParent !== null);
    if (target) { target.classList.add("t-toured"); target.scrollIntoView({ block: "nearest" }); }
    fill(box,
      el("header", {}, el("h2", {}, title), el("span", { class: "t-quiet" }, `${at + 1} of ${STEPS.length}`)),
      el("p", {}, text),
      el("div", { class: "t-row" }, button("Leave the tour", "It can be begun again under ?.", end),
        at ? button("Back", "The step before.", () => go(-1)) : null,
        button(at < STEPS.length - 1 ? "Next" : "Done", "On.", () => go(1), { class: "t-button primary t-next" })));
    const spot = target ? target.getBoundingClientRect() : { left: 0, top: 0, right: 0, bottom: 0, width: innerWidth };
    const { offsetWidth: wide, offsetHeight: high } = box;
    const phone = innerWidth < 700;
    // Below it, else above it, else in it at its lower edge; on a phone at whichever end of the screen it is not.
    const top = phone ? (spot.top + spot.bottom > innerHeight ? 8 : innerHeight - high - 8) : spot.bottom + high + 16 < innerHeight ? spot.bottom + 8 : spot.top - high - 8 > 0 ? spot.top - high - 8 : Math.min(innerHeight, spot.bottom) - high - 12;
    box.style.top = `${Math.max(8, top)}px`;
    box.style.left = `${phone ? 8 : Math.max(8, Math.min(spot.left + 12, innerWidth - wide - 12))}px`;
    box.querySelector(".t-next").focus({ preventScroll: true });
  }

  function go(by) {
    at += by;
    if (at >= STEPS.length) end(); else place();
  }

  function end() {
    if (!box) return;
    box.remove();
    box = null;
    for (const each of document.querySelectorAll(".t-toured")) each.classList.remove("t-toured");
  }

  Tiller.tour = () => {
    end();
    const chat = document.getElementById("t-tab-chat-button");
    if (state.view.tab !== "chat" && chat) chat.click();
    at = 0;
    box = el("div", { class: "t-dialog t-tour", role: "dialog", "aria-label": "Tour" });
    document.body.append(box);
    place();
  };
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && box) { event.preventDefault(); event.stopPropagation(); end(); } }, true);
  addEventListener("resize", () => { if (box) place(); });
})();
