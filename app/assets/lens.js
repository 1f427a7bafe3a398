/* What the colours of the tokens mean: the choice, and the legend. */
"use strict";

(() => {
  const { el, fill, state } = Tiller;

  Tiller.painters.lens = (home) => {
    const choice = el("div", { class: "t-choice", role: "radiogroup", "aria-label": "Colour the tokens by" });
    const legend = el("div", { class: "t-legend", "aria-label": "Legend" });
    fill(home, Tiller.shapeSwitch(), legend, el("div", { class: "t-colour-by" }, el("span", { class: "t-quiet" }, "Colour by"), choice));

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
      legend.title = chosen.tooltip;
      if (chosen.stages.length) { stages(chosen); return; }
      if (chosen.name === "changed" && !state.view.columns.some((each) => each.recipe || each.asks || each.made)) { fill(legend, "no column is steered: nothing has changed"); return; }
      const shades = chosen[Tiller.dark() ? "dark" : "light"];
      const bar = el("div", { class: "t-bar" });
      bar.style.background = `linear-gradient(to right, ${shades.map(([ground]) => ground).join(",")})`;
      fill(legend, el("span", {}, chosen.labels[0]), bar, el("span", {}, chosen.labels[chosen.labels.length - 1]), el("span", { class: "t-quiet" }, chosen.unit));
    }

    /* A hue and a letter for each stage; what the colours are of, and how far chance goes. */
    function stages(chosen) {
      const steered = state.view.columns.some((each) => each.made);
      fill(legend, ...chosen.stages.map(([day, night, label]) => {
        const mark = el("i", { "aria-hidden": "true" });
        mark.style.background = Tiller.dark() ? night : day;
        return el("span", { class: "t-stage" }, mark, label);
      }), el("span", { class: "t-quiet" }, steered ? "of the unsteered models" : ""),
      el("span", { class: "t-quiet", title: state.view.noise }, state.view.noise.split(":")[0]), ...unblamed());
    }

    function unblamed() {
      const [said, awaited] = ["unblamed", "awaited"].map((key) => Object.values(state.answers).map((each) => each[key]).find(Boolean));
      if (said) return [el("span", { class: "t-error" }, said)];
      return awaited ? [el("span", { class: "t-quiet", role: "status" }, awaited)] : [];
    }

    /* What the colours have nothing to say of yet is asked for, once for every answer and lens; a run that goes on is told to. */
    let asked = new Set();
    function ask(fresh) {
      const { view, status, answers } = state;
      if (!view || !status || !["ready", "busy"].includes(status.state)) return;
      const place = view.lenses.findIndex((each) => each.name === view.lens);
      if (fresh) asked = new Set();
      if (place < 0 || !view.lenses[place].stages.length) return;
      if (view.running) { if (fresh) Tiller.act("blame", { lens: view.lens }); return; }
      const open = Object.values(answers).filter((each) => each.done && !each.unblamed && each.tokens.some((token) => token[1][place] === null));
      const key = JSON.stringify([view.lens, ...open.map((each) => each.tokens.map((token) => token[4]))]);
      if (!open.length || asked.has(key)) return;
      asked.add(key);
      Tiller.act("blame", { lens: view.lens });
    }

    Tiller.on("view", draw);
    Tiller.on("lens", () => ask(true));
    for (const topic of ["view", "answers", "status"]) Tiller.on(topic, () => ask(false));
    /* Also once more when nothing is awaited any longer. */
    let said = false;
    Tiller.on("answers", () => {
      const says = Object.values(state.answers).some((each) => each.unblamed || each.awaited);
      if (state.view && (says || said)) draw();
      said = says;
    });
    Tiller.on("digit", (digit) => { const lens = state.view.lenses[digit - 1]; if (lens) choose(lens.name); });
    new MutationObserver(() => { if (state.view) draw(); }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };
})();
