/* Words explained where they stand: a word that is pressed says what it means, and the help lists them all. */
"use strict";

(() => {
  const { el, fill } = Tiller;
  const meanings = new Map(Tiller.known.flatMap(([, pairs]) => pairs));
  let bubble = null;

  /* A small box of text beside an element, until something else is pressed. */
  Tiller.bubble = (anchor, title, text) => {
    shut();
    const home = anchor.closest("dialog") || document.body;
    bubble = el("div", { class: "t-bubble", role: "status" }, title ? el("b", {}, title) : null, title ? " " : null, text);
    home.append(bubble);
    const at = anchor.getBoundingClientRect(), size = bubble.getBoundingClientRect();
    const below = at.bottom + 6 + size.height < innerHeight;
    bubble.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
    bubble.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - size.height - 6)}px`;
    bubble.anchor = anchor;
  };

  function shut() { if (bubble) { bubble.remove(); bubble = null; } }
  Tiller.shutBubble = shut;
  document.addEventListener("pointerdown", (event) => { if (bubble && !bubble.contains(event.target) && !bubble.anchor.contains(event.target)) shut(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && bubble) { event.stopPropagation(); event.preventDefault(); shut(); } }, true);
  for (const moved of ["scroll", "resize"]) addEventListener(moved, shut, { capture: true, passive: true });

  /* A word that explains itself. */
  Tiller.word = (word, shown = word) => el("button", {
    type: "button", class: "t-word", title: meanings.get(word),
    onclick: (event) => {
      event.preventDefault();
      const again = bubble && bubble.anchor === event.currentTarget;
      if (again) shut(); else Tiller.bubble(event.currentTarget, word, meanings.get(word));
    },
  }, shown);

  /* The words of the help, with a box that looks for one. */
  Tiller.wordList = () => {
    const box = el("input", { type: "search", placeholder: "Look for a word", "aria-label": "Look for a word" });
    const list = el("div", {});
    const draw = () => {
      const wanted = box.value.trim().toLowerCase();
      const fits = (pair) => !wanted || pair.join(" ").toLowerCase().includes(wanted);
      const groups = Tiller.known.map(([group, pairs]) => [group, pairs.filter(fits)]).filter(([, pairs]) => pairs.length);
      fill(list, groups.length ? groups.flatMap(([group, pairs]) => [
        el("h3", {}, group), el("dl", {}, ...pairs.flatMap(([word, text]) => [el("dt", {}, word), el("dd", {}, text)])),
      ]) : el("p", { class: "t-quiet" }, "There is no such word here."));
    };
    box.addEventListener("input", draw);
    draw();
    return [box, list];
  };
})();
