/* What the page knows, and who wants to hear of it. The server decides; this keeps, and passes on. */
"use strict";

window.Tiller = (() => {
  const painters = {};          // name of a part -> function(element) that builds it
  const triggers = {};          // name of an event -> the trigger of its part
  const listeners = {};         // topic -> functions
  const LAST_SHEETS = 8;
  let read = { stream: 0, length: 0 };        // of the newest stream of answers: how many of its characters have been read

  const state = {
    view: null,                 // the chat, as the server told it last
    answers: {},                // column -> {tokens, joins, note, done, reason, seconds, error}
    sheets: new Map(),          // scrub key -> nine answers
    status: null,
    heard: 0,                   // the number of the last thing the person did here
    preview: null,              // {slider, column, answer} while a slider is dragged
    token: null,                // {column, index, pinned}
    elsewhere: null,            // what the address asked for and this page is not: {said, text, title, link}
  };

  function on(topic, listener) { (listeners[topic] = listeners[topic] || []).push(listener); }
  function tell(topic, detail) { for (const listener of listeners[topic] || []) listener(detail); }

  /* A part of the page has come: its painter builds it. */
  function mount(name, element, trigger, events) {
    for (const event of events) triggers[event] = trigger;
    const home = element.querySelector(".t-part");
    painters[name](home);
  }

  // What is asked for without a new view as its reply.
  const ASIDE = new Set(["relive", "scrub", "blame", "prompt", "export", "stop", "cancel_loading", "learn", "cancel_learning", "end_job", "families", "look_at", "open_family", "forget_copy", "delete_download", "keep", "import_chats", "typeset"]);
  // Of these only the latest counts; one that still waits makes room for it.
  const MOVING = new Set(["slide", "typing", "colouring"]);
  const PATIENCE = 3000;        // milliseconds
  let outbox = [];
  let sent = { heard: 0, at: 0 };
  let colouring = { lens: "", heard: 0 };     // chosen here, perhaps not yet told

  /* The person did something: tell the server, with a number by which stale replies are known. */
  function act(event, detail = {}) {
    if (ASIDE.has(event)) { send({ event, detail, heard: state.heard }); return; }
    state.heard += 1;
    if (event === "colouring") colouring = { lens: detail.lens, heard: state.heard };
    if (MOVING.has(event)) outbox = outbox.filter((each) => each.event !== event);
    outbox.push({ event, detail, heard: state.heard });
    post();
  }

  /* One thing after the other: the next is told when the one before has been answered, for requests may overtake each other. */
  function post() {
    const answered = !state.view || state.view.heard >= sent.heard || performance.now() - sent.at >= PATIENCE;
    if (!outbox.length || !answered) return;
    const next = outbox.shift();
    sent = { heard: next.heard, at: performance.now() };
    setTimeout(post, PATIENCE);
    send(next);
  }

  function send({ event, detail, heard }) {
    triggers[event](event, { ...detail, heard, link: state.view ? state.view.link : "" });
  }

  function wire(name, props, watch) {
    watch("value", () => { if (props.value) receive[name](String(props.value)); });
    if (props.value) receive[name](String(props.value));
  }

  const receive = {
    view(text) {
      const view = JSON.parse(text);
      if (state.view && view.version <= state.view.version) return;
      const before = state.view;
      if (view.heard < colouring.heard) view.lens = colouring.lens;
      state.view = view;
      state.heard = Math.max(state.heard, view.heard);
      if (view.elsewhere.said) state.elsewhere = view.elsewhere;
      keepAddress(view);
      keepChat(view);
      tell("view", before);
      // Nothing is shown before all of it can be.
      document.body.classList.add("t-there");
      if (view.notice) tell("notice", view.notice);
      post();
    },
    answers(text) {
      const first = text.indexOf("\n") < 0 ? text.length : text.indexOf("\n");
      const head = JSON.parse(text.slice(0, first));
      // Requests may overtake each other; a newer stream has all that an older one could add.
      if (head.stream < read.stream) return;
      if (head.stream > read.stream) { read = { stream: head.stream, length: first }; state.answers = {}; }
      for (const line of text.slice(read.length).split("\n")) if (line) apply(JSON.parse(line));
      read.length = Math.max(read.length, text.length);
      tell("answers");
    },
    sheet(text) {
      const sheet = JSON.parse(text);
      if (sheet.missed) { tell("missed", sheet.missed); return; }
      state.sheets.set(sheet.key, sheet);
      if (state.sheets.size > LAST_SHEETS) state.sheets.delete(state.sheets.keys().next().value);
      tell("sheet");
    },
    status(text) { state.status = JSON.parse(text); tell("status"); },
    paper(text) { tell("paper", JSON.parse(text)); },
    kept(text) { tell("kept", JSON.parse(text)); },
    shapes(text) { tell("shapes", JSON.parse(text)); },
    shelf(text) { tell("shelf", JSON.parse(text)); },
    file(text) { tell("file", JSON.parse(text)); },
  };

  function blank() { return { tokens: [], joins: [], note: "", done: false, reason: "", seconds: 0, error: "", more: false, older: "", olderBy: "" }; }

  function apply(line) {
    const old = state.answers[line.c] || blank();
    const { c, t, joins, again, ...rest } = line;
    const renewed = again ? blank() : old;
    // A stream only grows: what is drawn already is drawn on, unless the answer is a new object.
    if (t) for (const token of t) renewed.tokens.push(token);
    if (joins) for (const join of joins) renewed.joins.push(join);
    state.answers[c] = Object.assign(renewed, rest);
  }

  function keepAddress(view) {
    // The address stays as long as it may still be wanted.
    if (state.elsewhere && state.elsewhere.link) return;
    // What a platform has put there for itself stays, such as the sign that opens a private Space.
    const others = [...new URLSearchParams(location.search)].filter(([name]) => name.startsWith("__")).map((each) => `&${new URLSearchParams([each])}`);
    const address = `${location.pathname}?${view.link}${view.turns.length ? `&kept=${view.kept}` : ""}${others.join("")}${location.hash}`;
    if (location.pathname + location.search + location.hash !== address) history.replaceState(history.state, "", address);
  }

  /* This page's own chat is wanted, whatever its address asked for. */
  function settle() { state.elsewhere = null; keepAddress(state.view); }

  /* The last chat of each family in this browser: its link, and its page's id, by which the server may still have the whole of it. */
  const CHATS = "tiller chat ";

  function keepChat(view) {
    if (!view.heard) return;    // nothing was done here yet
    try { localStorage.setItem(CHATS + view.family.name, `${view.link}&chat=${encodeURIComponent(view.visit)}&kept=${view.kept}`); } catch { /* a browser that keeps nothing */ }
  }

  function lastChat(family) {
    try { return localStorage.getItem(CHATS + family) || ""; } catch { return ""; }
  }

  /* The answer that a column shows now: the scrubbed one while its slider is dragged. */
  function shown(column) {
    if (state.preview && state.preview.column === column) return state.preview.answer;
    return state.answers[column] || null;
  }

  /* Choose a token for the reading panel; a pinned one stays until another is pinned or it is let go. */
  function choose(column, index, pinned = false) {
    if (state.token && state.token.pinned && !pinned) return;
    state.token = { column, index, pinned };
    tell("token");
  }

  function release() { if (state.token) { state.token = { ...state.token, pinned: false }; tell("token"); } }

  function answer(column, sheetAnswer) {
    return { ...blank(), ...sheetAnswer, tokens: sheetAnswer.t };
  }

  /* A wire's value that came by another way. */
  function hear(name, text) { receive[name](text); }

  return { state, painters, on, tell, hear, mount, wire, act, settle, lastChat, shown, choose, release, answer };
})();
