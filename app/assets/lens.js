/* What the colours of the tokens mean: the choice, and the legend. */
"use strict";

(() => {
  const { el, fill, state } = Tiller;

  Tiller.painters.lens = (home) => {
    const choice = el("div", { class: "t-choice", role: "radiogroup", "aria-label": "Colour the tokens by" });
    const legend = el("div", { class: "t-legend", "aria-label": "Legend" });
    fill(home, el("span", { class: "t-quiet" }, "Colour by"), choice, legend);

    const choose = (name) => {
      if (!state.view || state.view.lens === name) return;
      state.view.lens = name;
      draw();
      Tiller.tell("lens");
      Tiller.act("colouring", { lens: name });
    };

    function draw() {
      const { lenses, lens } = state.view;
      const key = JSON.stringify(lenses.map((each) => each.name));
      if (choice.dataset.key !== key) {
        choice.dataset.key = key;
        fill(choice, ...lenses.map((each, index) => {
          const radio = el("input", { type: "radio", name: "t-lens", value: each.name, onchange: () => choose(each.name) });
          return el("label", { title: `${each.tooltip} (key ${index + 1})` }, radio, el("span", {}, each.title));
        }));
      }
      for (const radio of choice.querySelectorAll("input")) radio.checked = radio.value === lens;
      const chosen = lenses.find((each) => each.name === lens) || lenses[0];
      const shades = chosen[Tiller.dark() ? "dark" : "light"];
      const bar = el("div", { class: "t-bar" });
      bar.style.background = `linear-gradient(to right, ${shades.map(([ground]) => ground).join(",")})`;
      fill(legend, el("span", {}, chosen.labels[0]), bar, el("span", {}, chosen.labels[chosen.labels.length - 1]), el("span", { class: "t-quiet" }, chosen.unit));
      legend.title = chosen.tooltip;
    }

    Tiller.on("view", draw);
    Tiller.on("digit", (digit) => { const lens = state.view.lenses[digit - 1]; if (lens) choose(lens.name); });
    new MutationObserver(() => { if (state.view) draw(); }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };
})();
