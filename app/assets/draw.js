/* Building elements. Text is always set as text: nothing that a model or a person wrote can become markup. */
"use strict";

(() => {
  /* el("button", {class: "x", onclick: f, "aria-label": "…"}, "text", child, …) */
  function el(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined || value === null || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "value" || name === "checked" || name === "disabled") made[name] = value;
      else made.setAttribute(name, value === true ? "" : value);
    }
    fill(made, ...children);
    return made;
  }

  function fill(parent, ...children) {
    parent.replaceChildren(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
    return parent;
  }

  /* A shape for the sparkline: names of SVG elements and attributes are ours, never a model's. */
  function svg(tag, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function button(text, title, onclick, more = {}) {
    return el("button", { type: "button", class: "t-button", title, onclick, ...more }, text);
  }

  /* A select that keeps the focus when its options are told again. */
  function options(select, names, chosen, describe = (name) => name, group = () => "", absent = () => "") {
    const key = JSON.stringify([names, names.map(absent)]);
    if (select.dataset.key !== key) {
      select.dataset.key = key;
      const option = (name) => el("option", { value: name, disabled: Boolean(absent(name)), title: absent(name) }, `${describe(name)}${absent(name) ? " (not here)" : ""}`);
      const groups = [...new Set(names.map(group))];
      fill(select, groups.length < 2 ? names.map(option)
        : groups.map((each) => el("optgroup", { label: each }, names.filter((name) => group(name) === each).map(option))));
    }
    if (select.value !== chosen) select.value = chosen;
  }

  const dark = () => document.body.classList.contains("dark");
  const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(1);
  // As core/util/figures.py writes one.
  const probability = (value) => (value > 0 && value < 0.005 ? "<0.01" : value.toFixed(2));

  /* At most one call in so many milliseconds, the last one always. */
  function paced(milliseconds, act) {
    let timer = null, wanted = null, last = 0;
    const run = () => { timer = null; last = performance.now(); act(...wanted); };
    const call = (...values) => {
      wanted = values;
      if (timer === null) timer = setTimeout(run, Math.max(0, last + milliseconds - performance.now()));
    };
    call.cancel = () => { clearTimeout(timer); timer = null; };
    return call;
  }

  Object.assign(Tiller, { el, fill, svg, button, options, dark, signed, probability, paced });
})();
