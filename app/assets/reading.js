/* The reading panel: what was measured at the chosen token, and what the model might have said there. */
"use strict";

(() => {
  const { el, fill, state } = Tiller;

  Tiller.painters.reading = (home) => {
    let opener = null;
    const draw = () => {
      const found = chosen();
      const inside = home.contains(document.activeElement);
      if (!found) fill(home, el("p", { class: "t-quiet" }, "Point at a word of an answer, or tap it: this shows how likely it was and what else the model might have said."));
      else fill(home, title(found), readings(found), alternatives(found, () => opener && opener.focus()));
      if (inside && found) (home.querySelector(".t-alternative") || document.body).focus();
    };
    for (const topic of ["token", "preview"]) Tiller.on(topic, draw);
    Tiller.on("answers", () => { if (state.token) draw(); });
    Tiller.on("view", (before) => { if (!before) draw(); });
    Tiller.on("alternatives", (span) => { opener = span; home.querySelector(".t-alternative")?.focus(); });
  };

  function chosen() {
    if (!state.token || !state.view || state.token.column >= state.view.columns.length) return null;
    const answer = Tiller.shown(state.token.column);
    const token = answer && answer.tokens[state.token.index];
    return token ? { token, column: state.token.column, index: state.token.index } : null;
  }

  function visible(text) { return text === "" ? "(part of a character)" : text.replaceAll("\n", "⏎"); }

  function title({ token, column }) {
    const pinned = state.token.pinned;
    return el("header", {}, el("span", { class: "t-quoted" }, visible(token[0])), token[5] ? el("span", { class: "t-quiet" }, "given, not chosen") : null,
      el("span", { class: "t-quiet" }, state.view.columns[column].checkpoint),
      pinned ? el("button", { type: "button", class: "t-button t-unpin", title: "Let the token go: the panel follows the pointer again.", onclick: () => Tiller.release() }, "pinned ×") : null);
  }

  function readings({ token }) {
    return el("dl", {}, ...token[2].flatMap(([label, text]) => [el("dt", {}, label), el("dd", {}, text)]));
  }

  function alternatives({ token, column, index }, back) {
    const rows = token[3].map(([id, text, probability]) => {
      const bar = el("i", { "aria-hidden": "true" });
      bar.style.width = `${Math.max(1, probability * 100)}%`;
      const said = id === token[4];
      return el("button", {
        type: "button", class: "t-alternative" + (said ? " said" : ""), title: said ? "This is what it said." : "Let the answer go on from this instead.",
        "aria-label": `${visible(text)}, probability ${Tiller.probability(probability)}${said ? ", said" : ""}`,
        onclick: () => { if (!said) { Tiller.release(); Tiller.act("follow", { column, index, id }); } },
      }, bar, el("span", {}, visible(text)), el("b", {}, Tiller.probability(probability)));
    });
    const list = el("div", { class: "t-alternatives", role: "group", "aria-label": "What it might have said" }, ...rows);
    list.addEventListener("keydown", (event) => {
      const place = rows.indexOf(event.target);
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { rows[Math.max(0, Math.min(rows.length - 1, place + (event.key === "ArrowDown" ? 1 : -1)))].focus(); event.preventDefault(); }
      else if (event.key === "Escape") { event.stopPropagation(); Tiller.release(); back(); }
    });
    return list;
  }
})();
