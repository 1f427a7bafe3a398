/* Steering the selected column: its recipe line, and a slider for each direction. */
"use strict";

(() => {
  const { el, fill, button, options, svg, state } = Tiller;
  const WIDE = 400, HIGH = 32;
  const BEHIND = "Measured before on other prompts, at each strength: how much the push does (filled; dashed on other prompts, such as harmful ones), and how much it changes answers it should leave alone (line). The green part of the track marks the strengths of use: beyond them the text breaks, or nothing more is gained.";
  const MAX_COLUMNS = 4;
  const KEY_PAUSE = 300;        // milliseconds
  const MOST_ASKED = 5;         // times; something that fails again and again is let be
  const MUCH_DAMAGE = 0.5;      // nats; a line at the top of its slider stands for at least this much

  Tiller.painters.steering = (home) => {
    const recipe = recipeLine();
    const list = el("div", { class: "t-sliders" });
    const sliders = new Map();
    const asked = new Map();     // scrub key -> how often its nine answers were asked for
    let waiting = "";            // the key that was asked for last and is not there yet
    let wanted = null;          // the direction whose nine answers are worth having
    fill(home, recipe.home, Tiller.learningLine(), list);

    const want = (name) => { wanted = name; askForSheet(); };

    Tiller.on("view", (before) => {
      const view = state.view, names = view.sliders.map((each) => each.name);
      if (before && before.selected !== view.selected) wanted = null;
      for (const each of view.sliders) {
        if (!sliders.has(each.name)) sliders.set(each.name, new Slider(each.name, want));
        sliders.get(each.name).show(each, view);
      }
      if (list.dataset.key !== names.join()) {
        list.dataset.key = names.join();
        fill(list, ...names.map((name) => sliders.get(name).home));
      }
      recipe.show(view);
      askForSheet();
    });
    for (const topic of ["answers", "status"]) Tiller.on(topic, askForSheet);
    // What was interrupted is asked for again, with the next thing that is heard of.
    Tiller.on("missed", (key) => { if (waiting === key) waiting = ""; });
    Tiller.on("sheet", () => {
      waiting = "";
      for (const slider of sliders.values()) slider.ticks();
    });

    /* After an answer, have nine strengths of one slider computed: the one in use, else the first. */
    function askForSheet() {
      const view = state.view, ready = state.status && ["ready", "busy"].includes(state.status.state);
      if (!view || !view.scrub || !ready) return;
      const slider = view.sliders.find((each) => each.name === wanted) || view.sliders.find((each) => each.strength !== 0) || view.sliders[0];
      if (!slider || state.sheets.has(slider.key) || waiting === slider.key || (asked.get(slider.key) || 0) >= MOST_ASKED) return;
      waiting = slider.key;
      asked.set(slider.key, (asked.get(slider.key) || 0) + 1);
      Tiller.act("scrub", { direction: slider.name, key: slider.key });
    }
  };

  /* The recipe line of the selected column: typed here, or followed from the sliders. */
  function recipeLine() {
    const field = el("input", { type: "text", spellcheck: "false", autocomplete: "off", "aria-label": "Recipe of the selected column", "aria-describedby": "t-explained" });
    const whose = el("span", { class: "t-quiet" });
    const said = el("span", { class: "t-explained", id: "t-explained", role: "status" });
    const typed = Tiller.paced(200, () => Tiller.act("typing", { recipe: field.value }));
    let dirty = false;
    field.addEventListener("input", () => { dirty = true; typed(); });
    const done = () => { typed.cancel(); if (dirty) Tiller.act("revise", { kind: "recipe", recipe: field.value }); dirty = false; };
    field.addEventListener("change", done);
    field.addEventListener("keydown", (event) => { if (event.key === "Enter") done(); });
    const key = el("span", { class: "t-key", title: BEHIND }, "behind: ", el("i", {}), Tiller.word("effect"), el("i", { class: "line" }), Tiller.word("damage"),
      el("i", { class: "dashed" }), Tiller.word("elsewhere"), el("i", { class: "range" }), Tiller.word("useful"));
    const ask = button("the same by asking for it", "One more column: the same checkpoint without the recipe, asked in words for what the recipe does.", () => Tiller.act("ask_for_it"), { class: "t-button t-ask" });
    const meant = button("", "Write this recipe instead.", () => { field.value = state.view.recipeMeant; dirty = true; done(); }, { class: "t-button t-ask", hidden: true });
    const label = el("div", { class: "t-label", title: "What is done to the model while it writes, as one line." }, Tiller.word("recipe", "Recipe"), field);
    const copy = Tiller.copyTool("the recipe", () => field.value);
    const home = el("div", { class: "t-recipe" }, label, el("p", { class: "t-says" }, said, meant, copy, ask), whose, key);
    return {
      home,
      show(view) {
        const column = view.columns[view.selected], wrong = view.recipeError || column.error;
        const typing = field === document.activeElement && (dirty || view.recipeError);
        if (!typing && !view.recipeError) field.value = column.recipe;
        const names = view.sliders.map((each) => each.name);
        field.placeholder = names.length ? `plain: no recipe. Try 1.5*${names.includes("refusal") ? "refusal" : names[0]}` : "plain: no direction yet";
        meant.hidden = !view.recipeMeant;
        if (view.recipeMeant) fill(meant, `Did you mean ${view.recipeMeant}?`);
        fill(said, wrong || [column.recipe ? `✓ ${column.explained}` : column.asks ? "" : "✓ the model as it is", column.asks ? `✓ asked in words: ${column.asks}` : ""].filter(Boolean).join(" · "));
        said.classList.toggle("wrong", Boolean(wrong));
        field.setAttribute("aria-invalid", Boolean(wrong));
        copy.hidden = !column.recipe;
        ask.hidden = !column.recipe || Boolean(wrong) || view.columns.length >= MAX_COLUMNS;
        key.hidden = !view.sliders.some((slider) => (slider.dose.strengths || []).length);
        fill(whose, `steering column ${view.selected + 1} · ${column.checkpoint}`);
      },
    };
  }

  class Slider {
    constructor(name, want) {
      this.name = name;
      this.dragging = false;
      this.plot = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" });
      this.useful = el("div", { class: "t-useful", "aria-hidden": "true" });
      this.dosed = el("span", { class: "t-dosed" });
      this.marks = el("div", { class: "t-marks", "aria-hidden": "true" });
      this.range = el("input", { type: "range", step: 0.1, "aria-label": `Strength of ${name}` });
      this.number = el("input", { type: "number", step: 0.1, "aria-label": `Strength of ${name}, as a number` });
      this.source = el("select", { "aria-label": `Checkpoint that ${name} was learnt on` });
      this.ablate = el("input", { type: "checkbox", "aria-label": `Remove ${name}` });
      this.near = el("span", { role: "status" });
      const reset = button("↺", `Back to 0: no push along ${name}, and no removal.`, () => { this.live.cancel(); this.dragging = false; fill(this.near); Tiller.act("revise", { kind: "reset", direction: this.name }); this.letGo = state.heard; }, { class: "t-button t-reset", "aria-label": `Reset ${name}` });
      this.home = el("div", { class: "t-slider" },
        el("span", { class: "t-name", title: name }, name),
        el("div", { class: "t-track" }, this.plot, this.useful, this.range, this.marks),
        this.number, reset,
        el("label", { class: "t-source", title: "The checkpoint from whose activations the direction was learnt; another one's may steer this one too." }, el("span", {}, "learnt on"), this.source),
        el("label", { class: "t-ablate", title: `Take ${name} out of the model altogether, in every layer.` }, this.ablate, el("span", {}, "remove")),
        el("span", { class: "t-near" }, this.near, this.dosed));
      this.listen(want);
    }

    listen(want) {
      const live = Tiller.paced(80, (strength) => Tiller.act("slide", { direction: this.name, strength }));
      this.live = live;
      this.range.addEventListener("pointerdown", () => want(this.name));
      this.range.addEventListener("focus", () => want(this.name));
      this.range.addEventListener("input", () => {
        this.dragging = true;
        this.number.value = this.range.value;
        this.preview(Number(this.range.value));
        live(Number(this.range.value));
      });
      // A pointer lets go once; keys change the value step by step, and are waited for.
      let keys = false, pause = null;
      this.range.addEventListener("pointerdown", () => { keys = false; });
      this.range.addEventListener("keydown", () => { keys = true; });
      this.range.addEventListener("change", () => {
        clearTimeout(pause);
        pause = setTimeout(() => this.let(Number(this.range.value)), keys ? KEY_PAUSE : 0);
      });
      this.number.addEventListener("change", () => { if (this.number.value !== "") this.let(Number(this.number.value)); });
      this.source.addEventListener("change", () => Tiller.act("revise", { kind: "source", direction: this.name, source: this.source.value }));
      this.ablate.addEventListener("change", () => Tiller.act("revise", { kind: "ablate", direction: this.name, on: this.ablate.checked }));
    }

    /* While it is dragged, the nearest answer that is computed already is shown at once. */
    preview(strength) {
      const sheet = state.sheets.get(this.key), column = state.view.selected;
      if (!sheet || state.view.running) { fill(this.near, state.view.running ? "from the next token on" : ""); return; }
      let best = 0;
      sheet.strengths.forEach((each, index) => { if (Math.abs(each - strength) < Math.abs(sheet.strengths[best] - strength)) best = index; });
      const exact = Math.abs(sheet.strengths[best] - strength) < 1e-9;
      fill(this.near, exact ? "" : `shown: ${Tiller.signed(sheet.strengths[best])}, the nearest computed`);
      sheet.made = sheet.made || sheet.answers.map((each) => Tiller.answer(column, each));
      if (state.preview && state.preview.answer === sheet.made[best]) return;
      state.preview = { slider: this.name, column, answer: sheet.made[best] };
      Tiller.tell("preview");
    }

    /* Let go: exactly this strength is wanted now. */
    let(strength) {
      this.live.cancel();
      this.dragging = false;
      fill(this.near);
      Tiller.act("revise", { kind: "strength", direction: this.name, strength });
      this.letGo = state.heard;
    }

    show(slider, view) {
      const { strengths } = slider;
      this.key = slider.key;
      this.range.min = strengths[0];
      this.range.max = strengths[strengths.length - 1];
      // A reply to something older than the last move must not pull the slider back.
      if (!this.dragging && view.heard >= (this.letGo || 0)) {
        this.range.value = slider.strength;
        if (this.number !== document.activeElement || !view.recipeError) this.number.value = Number(slider.strength.toFixed(4));
        if (state.preview && state.preview.slider === this.name && view.heard >= state.heard) { state.preview = null; Tiller.tell("preview"); }
      }
      this.home.classList.toggle("on", slider.strength !== 0 || slider.ablated);
      options(this.source, slider.sources, slider.source);
      this.ablate.checked = slider.ablated;
      this.ticks();
      this.draw(slider);
      this.tell(slider.dose, slider.words);
    }

    /* What was measured at this strength, in words, and between which strengths the push is of use. */
    tell(dose, words) {
      const [low, high] = [Number(this.range.min), Number(this.range.max)];
      const part = (strength) => (Math.min(high, Math.max(low, strength)) - low) / (high - low);
      this.useful.hidden = !dose.useful;
      if (dose.useful) {
        // The thumb's middle does not reach the ends of its track.
        const [from, to] = dose.useful.map(part);
        this.useful.style.left = `calc(9px + (100% - 18px) * ${from})`;
        this.useful.style.width = `calc((100% - 18px) * ${to - from})`;
      }
      fill(this.dosed, words);
      if (words) this.range.setAttribute("aria-valuetext", `${this.range.value}: ${words}`);
      else this.range.removeAttribute("aria-valuetext");
    }

    ticks() {
      const sheet = state.sheets.get(this.key);
      const shown = sheet ? this.key : "";
      if (this.marks.dataset.key === shown) return;
      this.marks.dataset.key = shown;
      const [low, high] = [Number(this.range.min), Number(this.range.max)];
      fill(this.marks, ...(sheet ? sheet.strengths : []).map((each) => {
        const mark = el("i", {});
        mark.style.left = `${((each - low) / (high - low)) * 100}%`;
        return mark;
      }));
    }

    /* Behind the slider: how much the push does, and how much it damages, at each strength that was measured. */
    draw(slider) {
      const key = `${slider.source}|${JSON.stringify([slider.dose.strengths, slider.dose.effect, slider.dose.damage])}`;
      if (this.plot.dataset.key === key) return;
      this.plot.dataset.key = key;
      const { strengths = [], effect = [], damage = [], others = [] } = slider.dose;
      const [first, last] = [Number(this.range.min), Number(this.range.max)];
      const across = (strength) => ((strength - first) / (last - first)) * WIDE;
      this.plot.replaceChildren();
      if (strengths.length < 2) return;
      const line = (values, low, high) =>
        strengths.map((each, i) => [across(each), HIGH - 2 - ((values[i] - low) / (high - low)) * (HIGH - 6)]);
      const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
      if (effect.length === strengths.length) {
        // An effect is a probability, or a difference of two; of a direction of one's own it may be in nats.
        const every = [effect, ...others].flat();
        const [least, most] = [Math.min(...every) < 0 ? Math.min(-1, ...every) : 0, Math.max(1, ...every)];
        const points = line(effect, least, most);
        for (const each of others) this.plot.append(svg("path", { class: "t-other", d: path(line(each, least, most)), fill: "none" }));
        this.plot.append(svg("path", { class: "t-effect", d: `${path(points)}L${points[points.length - 1][0]} ${HIGH}L${points[0][0]} ${HIGH}Z` }));
      }
      if (damage.length === strengths.length) this.plot.append(svg("path", { class: "t-damage", d: path(line(damage, 0, Math.max(MUCH_DAMAGE, ...damage))), fill: "none" }));
      this.home.querySelector(".t-track").title = BEHIND;
    }
  }
})();
