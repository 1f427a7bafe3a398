/* How the page looks to this person: light or dark, the size of the text, the conversation alone. Kept in this browser. */
"use strict";

(() => {
  const { el, button } = Tiller;
  const KEPT = "tiller looks";
  const SIZES = [0.9, 1, 1.15, 1.3, 1.5];
  const night = matchMedia("(prefers-color-scheme: dark)");

  function kept() { try { return JSON.parse(localStorage.getItem(KEPT)) || {}; } catch { return {}; } }

  const looks = { light: "system", size: 1, just: false, ...kept() };

  function apply() {
    if (document.body) {
      document.body.classList.toggle("dark", looks.light === "dark" || (looks.light === "system" && night.matches));
      document.body.classList.toggle("t-just", Boolean(looks.just));
    }
    document.documentElement.style.setProperty("--t-size", SIZES.includes(looks.size) ? looks.size : 1);
    for (const each of document.querySelectorAll("[data-light]")) each.setAttribute("aria-pressed", each.dataset.light === looks.light);
    for (const each of document.querySelectorAll("[data-just]")) each.setAttribute("aria-pressed", Boolean(looks.just));
  }

  function set(changes) {
    Object.assign(looks, changes);
    try { localStorage.setItem(KEPT, JSON.stringify(looks)); } catch { /* a browser that keeps nothing */ }
    apply();
  }

  function resize(by) { set({ size: SIZES[Math.max(0, Math.min(SIZES.length - 1, Math.max(0, SIZES.indexOf(looks.size)) + by))] }); }

  Tiller.viewMenu = () => {
    const lights = [["light", "Light"], ["dark", "Dark"], ["system", "As the system"]].map(([light, name]) =>
      button(name, `The page in ${name === "As the system" ? "the light of this computer" : `the ${light}`}.`, () => set({ light }), { "data-light": light }));
    const menu = el("details", { class: "t-menu" },
      el("summary", { class: "t-button", title: "Light or dark, the size of the text, the conversation alone." }, "View"),
      el("div", {}, ...lights,
        button("Larger text", "One step larger.", () => resize(1)), button("Smaller text", "One step smaller.", () => resize(-1)),
        button("Just the chat", "Hide the sliders and the readings; press again to have them back.", () => set({ just: !looks.just }), { "data-just": "" })));
    document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
    menu.addEventListener("toggle", apply);
    return menu;
  };

  night.addEventListener("change", apply);
  // Gradio puts its own light onto the page when it is there.
  Tiller.on("view", (before) => { if (!before) apply(); });
  document.addEventListener("DOMContentLoaded", apply);
  apply();
})();
