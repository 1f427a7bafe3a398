/* What a pointer is told by resting, a finger is told by holding: every control's explanation. And one after the other, when that is asked for. */
"use strict";

(() => {
  const { el, button } = Tiller;
  const HOLD = 500;             // milliseconds
  let timer = null, held = false, strip = null;

  const said = (target) => {
    const found = target.closest ? target.closest("[title]") : null;
    return found && found.title ? found : null;
  };

  const tell = (found) => Tiller.bubble(found, "", found.title);

  document.addEventListener("pointerdown", (event) => {
    held = false;
    clearTimeout(timer);
    const found = event.pointerType === "touch" ? said(event.target) : null;
    if (found) timer = setTimeout(() => { held = true; tell(found); }, HOLD);
  });
  for (const ended of ["pointerup", "pointercancel", "pointermove"]) {
    document.addEventListener(ended, (event) => { if (ended !== "pointermove" || Math.hypot(event.movementX, event.movementY) > 4) clearTimeout(timer); });
  }
  document.addEventListener("contextmenu", (event) => { if (held) event.preventDefault(); });
  // What was held was asked about, not pressed.
  document.addEventListener("click", (event) => {
    if (held) { held = false; event.preventDefault(); event.stopPropagation(); return; }
    if (!strip || strip.contains(event.target)) return;
    event.preventDefault();
    event.stopPropagation();
    const found = said(event.target);
    if (found) tell(found); else Tiller.bubble(event.target, "", "There is nothing to be said of this; touch a button, a slider or a word.");
  }, true);

  const end = () => { if (strip) strip.remove(); strip = null; Tiller.shutBubble(); document.body.classList.remove("t-explaining"); };

  /* Until it is ended, a press explains and does nothing else. */
  Tiller.explain = () => {
    end();
    document.body.classList.add("t-explaining");
    strip = el("div", { class: "t-strip-over", role: "status" }, "Touch anything: it says what it does.", button("Done", "Buttons do again what they say.", end, { class: "t-button primary" }));
    document.body.append(strip);
  };
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && strip) { event.preventDefault(); event.stopPropagation(); end(); } }, true);
})();
