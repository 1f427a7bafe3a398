/* The message box, what can be done with the last answer, and the details that are folded away. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;
  const NUMBERS = [
    ["temperature", "Temperature", "How freely the next token is drawn: 0 always takes the likeliest.", 0.1],
    ["top_p", "Top-p", "Draw only from the likeliest tokens that make up this much probability together; 1 is off.", 0.05],
    ["top_k", "Top-k", "Draw only from this many of the likeliest tokens; 0 is off.", 1],
    ["repetition_penalty", "Repetition penalty", "Above 1 makes tokens that were said already less likely.", 0.05],
    ["max_new_tokens", "Longest answer", "The answer ends after this many tokens at the latest.", 1],
    ["seed", "Seed", "The same seed draws the same tokens again.", 1],
  ];

  Tiller.painters.composer = (home) => {
    const box = el("textarea", { rows: 1, placeholder: "Ask something …", "aria-label": "Your message", maxlength: 200000 });
    const notice = el("p", { class: "t-notice", role: "alert", hidden: true });
    const send = el("button", { type: "submit", class: "t-button primary", title: "Send the message (Enter)." }, "Send");
    const stop = button("Stop", "Stop writing and keep what is there (Esc).", () => Tiller.act("stop"), { class: "t-button t-stop", disabled: true });
    const retry = button("Retry", "Answer the last message again; the answer that is there stays as a version.", () => Tiller.act("again"));
    const undo = button("Undo", "Back to before the last message; its text returns to the box.", () => Tiller.act("undo"));
    const prompt = button("Exact prompt", "What the model of the selected column reads, character by character.", () => Tiller.act("prompt"));
    const folded = details();
    const form = el("form", { class: "t-send" }, box, send, stop);
    fill(home, notice, form, el("div", { class: "t-after" }, retry, undo, prompt, folded.home, Tiller.gauges()));
    let sent = null;

    const grow = () => { box.style.height = "auto"; box.style.height = `${Math.min(box.scrollHeight + 2, 160)}px`; };
    const say = (text) => { notice.hidden = !text; fill(notice, text); };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      say("");
      Tiller.act("send", { message: box.value });
      sent = { text: box.value, heard: state.heard };
    });
    box.addEventListener("input", grow);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && state.view && state.view.running) { event.preventDefault(); Tiller.act("stop"); }
    });

    Tiller.on("notice", say);
    Tiller.on("view", (before) => {
      const view = state.view;
      box.placeholder = view.family.questions.length && matchMedia("(min-width: 641px)").matches ? `Ask something, such as: ${view.family.questions[0]}` : "Ask something …";
      if (!before && matchMedia("(min-width: 900px)").matches) box.focus({ preventScroll: true });
      // The box is emptied only when its message has become a turn; one that was refused is told as a draft.
      if (sent && view.heard >= sent.heard) {
        if (box.value === sent.text && !view.draft) box.value = "";
        sent = null;
        grow();
      }
      if (view.draft && !box.value) { box.value = view.draft; grow(); }
      stop.disabled = !view.running;
      retry.disabled = !view.turns.length;
      undo.disabled = !view.back;
      prompt.disabled = !view.turns.length;
      if (before && before.running && !view.running && document.activeElement === stop) box.focus();
      if (!view.notice && before && before.heard !== view.heard) say("");
      folded.show(view);
    });
  };

  function details() {
    const system = el("textarea", { rows: 2, placeholder: "What the model is told before the conversation" });
    const stops = el("textarea", { rows: 1, placeholder: "One on each line" });
    const inputs = Object.fromEntries(NUMBERS.map(([name, , , step]) => [name, el("input", { type: "number", step })]));
    const told = () => Tiller.act("details", {
      system: system.value, stop: stops.value,
      ...Object.fromEntries(NUMBERS.map(([name]) => [name, inputs[name].value === "" ? null : Number(inputs[name].value)])),
    });
    for (const input of [system, stops, ...Object.values(inputs)]) input.addEventListener("change", told);
    const all = { system, ...inputs, stop: stops }, notes = {}, tips = {};
    /* A field with its name, and what is to be said of its value beneath it. */
    const row = (name, title, tip, wide = {}) => {
      all[name].setAttribute("aria-label", title);
      all[name].setAttribute("aria-describedby", `t-field-${name}`);
      notes[name] = el("span", { id: `t-field-${name}`, class: "t-field-note", role: "status" });
      tips[name] = tip;
      return el("label", wide, el("span", {}, title), all[name], notes[name]);
    };
    const summary = el("summary", { title: "The system prompt, and how the next token is drawn." }, "Details");
    const home = el("details", { class: "t-details" }, summary,
      el("div", { class: "t-fields" },
        row("system", "System prompt", "", { class: "wide" }),
        ...NUMBERS.map(([name, title, tip]) => row(name, title, tip)),
        row("stop", "Stop strings", "The answer ends before any of these.")));
    return {
      home,
      show(view) {
        // What was refused stays written, to be mended: a field is only filled when what holds is another value than before.
        const set = (field, value) => {
          if (field === document.activeElement || field.holds === value) return;
          field.value = field.holds = value;
        };
        set(system, view.system);
        set(stops, view.sampling.stop.join("\n"));
        for (const [name] of NUMBERS) set(inputs[name], view.sampling[name]);
        for (const name of Object.keys(all)) {
          fill(notes[name], view.fields[name] || tips[name]);
          notes[name].classList.toggle("told", Boolean(view.fields[name]));
          all[name].setAttribute("aria-invalid", view.wrong.includes(name));
        }
        // Closed, it still says that something in it does not hold.
        fill(summary, view.wrong.length ? "Details: a value is wrong" : "Details");
        summary.classList.toggle("wrong", view.wrong.length > 0);
      },
    };
  }
})();
