/* The chats that this browser keeps: every one that something was said in, with all its versions; the list of them; and what was being
   written. The server reads and writes their documents and keeps none. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;
  const PAUSE = 400;            // milliseconds without a change before a chat is kept
  const DRAFT = "tiller draft ";
  const NOTHING = "This browser keeps nothing for this page (a private window, or its storage is switched off): chats last until the page is closed. Export keeps them.";
  /* The chat that the address names: a page that is loaded again brings it back. */
  const named = new URLSearchParams(location.search).get("kept") || "";

  /* ------------------------------------------------------------------------------------------------------------ storage */

  let opening = null;
  function storage() {
    opening = opening || new Promise((found, failed) => {
      const request = indexedDB.open("tiller", 1);
      request.onupgradeneeded = () => { for (const name of ["heads", "documents"]) request.result.createObjectStore(name, { keyPath: "id" }); };
      request.onsuccess = () => found(request.result);
      request.onerror = () => failed(request.error);
    });
    return opening;
  }

  // Made when the page is, so that whoever looks at it first finds it whole; why it cannot be had is said where it is used.
  storage().catch(() => {});

  async function read(store, act) {
    const request = act((await storage()).transaction(store).objectStore(store));
    return new Promise((found, failed) => { request.onsuccess = () => found(request.result); request.onerror = () => failed(request.error); });
  }

  /* Heads and documents together or not at all. */
  async function write(act) {
    const change = (await storage()).transaction(["heads", "documents"], "readwrite");
    act(change.objectStore("heads"), change.objectStore("documents"));
    await new Promise((found, failed) => { change.oncomplete = found; change.onerror = change.onabort = () => failed(change.error); });
  }

  const put = (chats) => write((heads, documents) => { for (const { head, document } of chats) { heads.put(head); documents.put(document); } });
  const remove = (id) => write((heads, documents) => { heads.delete(id); documents.delete(id); });

  /* ------------------------------------------------------------------------------------------------------------ keeping */

  /* What was said is kept at once; how it is to be answered, which sliders change many times a second, after a pause. */
  let said = "", set = "";
  const keep = (chat) => Tiller.act("keep", { kept: chat });
  const later = Tiller.paced(PAUSE, keep);
  Tiller.on("view", (before) => {
    const view = state.view;
    if (!before) begin(view);
    if (!view.heard || view.recorded || !view.turns.length) return;
    const saying = JSON.stringify([view.kept, view.title, view.turns, view.versions, view.running]);
    const setting = JSON.stringify([view.columns.map((each) => [each.checkpoint, each.recipe, each.asks]), view.sampling, view.system]);
    if (saying !== said) keep(view.kept);
    else if (setting !== set) later(view.kept);
    [said, set] = [saying, setting];
  });

  let shown = null;             // the open list: {draw, tell}
  Tiller.on("kept", async (told) => {
    if (told.error) { if (shown) shown.tell(told.error, true); return; }
    try { await put(told.chats); } catch (error) {
      // A browser that keeps nothing at all says so in the list.
      if (error && error.name === "QuotaExceededError") Tiller.tell("notice", "This browser's storage is full, so that this chat is not kept: delete others (Chats), or export it.");
      return;
    }
    if (told.imported && shown) shown.imported();
    if (shown) shown.draw();
  });

  /* ------------------------------------------------------------------------------------------------- a page that begins */

  async function begin(view) {
    draft(view.family.name);
    if (!named || named === view.kept) return;
    try {
      const found = await read("documents", (store) => store.get(named));
      if (found) open(found);
    } catch { /* a browser that keeps nothing */ }
  }

  function open(document) { Tiller.act("open_chat", { text: JSON.stringify(document) }); }

  /* What is being written comes back after a reload; the box is empty once it has been sent. */
  function draft(family) {
    const box = document.querySelector(".t-send textarea");
    try {
      if (!box.value) { box.value = localStorage.getItem(DRAFT + family) || ""; box.dispatchEvent(new Event("input")); }
      const save = () => { try { localStorage.setItem(DRAFT + family, box.value); } catch { /* it is lost with the page */ } };
      box.addEventListener("input", save);
      Tiller.on("view", () => setTimeout(save));
    } catch { /* a browser that keeps nothing */ }
  }

  /* ----------------------------------------------------------------------------------------------------------- the list */

  const when = (seconds) => new Date(1000 * seconds).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

  Tiller.chats = () => {
    const search = el("input", { type: "search", placeholder: "Search titles and messages", "aria-label": "Search the chats" });
    const said = el("p", { class: "t-quiet", role: "status" });
    const list = el("ul", { class: "t-kept" });
    const file = el("input", { type: "file", accept: ".json,application/json", multiple: true, hidden: true, "aria-label": "A file of chats" });
    const tell = (sentence, wrong = false) => { said.classList.toggle("wrong", wrong); fill(said, sentence); };
    file.addEventListener("change", async () => {
      tell("");
      for (const each of file.files) for (const chat of chats(await each.text())) Tiller.act("import_chats", { text: chat });
      file.value = "";
    });
    const draw = async () => {
      let heads;
      try { heads = await read("heads", (store) => store.getAll()); } catch { tell(NOTHING, true); return; }
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const found = heads.filter((head) => words.every((word) => head.words.includes(word))).sort((a, b) => b.time - a.time);
      fill(list, ...found.map((head) => row(head, dialog, tell, draw)));
      if (!said.classList.contains("wrong") && !said.textContent) tell(heads.length ? "" : "Nothing is kept yet. Every chat that you say something in is kept here, in this browser and nowhere else.");
      if (words.length && !found.length) fill(list, el("li", { class: "t-quiet" }, "No chat has all of these words."));
    };
    search.addEventListener("input", draw);
    const dialog = Tiller.dialog("Chats", el("div", { class: "t-row" }, search,
      button("Export all", "Every chat with all its versions in one file.", exportAll), button("Import …", "Chats that were exported as JSON, here or elsewhere.", () => file.click()), file), said, list);
    let brought = 0;
    file.addEventListener("change", () => { brought = 0; });
    shown = { draw, tell, imported: () => { brought += 1; tell(`${brought} ${brought === 1 ? "chat" : "chats"} imported.`); } };
    dialog.addEventListener("close", () => { shown = null; });
    draw();
  };

  /* The chats of a file, a text each: whatever it is, the server says what is wrong with it. */
  function chats(text) {
    try {
      const found = JSON.parse(text).chats;
      return Array.isArray(found) && found.length ? found.map((each) => JSON.stringify(each)) : [text];
    } catch { return [text]; }
  }

  function row(head, dialog, tell, draw) {
    const present = head.id === state.view.kept, elsewhere = head.family !== state.view.family.name;
    const about = `${elsewhere ? `${head.family} · ` : ""}${when(head.time)} · ${head.turns} ${head.turns === 1 ? "message" : "messages"}${present ? " · open" : ""}`;
    const name = button(head.title, elsewhere ? `Open it with its family, ${head.family}.` : "Open it; the present chat is kept.", () => go(head, dialog), { class: "t-button t-title", disabled: present });
    const rename = button("Rename", "Give it another title.", () => renaming(head, name, draw), { class: "t-button t-tool" });
    const forget = button("Delete", "Delete it from this browser.", async () => {
      const document = await read("documents", (store) => store.get(head.id));
      await remove(head.id);
      await draw();
      tell("");
      fill(dialog.querySelector("[role=status]"), `“${head.title}” is deleted. `, button("Bring it back", "Undo the deletion.", async () => { await put([{ head, document }]); tell(""); draw(); }));
    }, { class: "t-button t-tool", disabled: present, "aria-label": `Delete ${head.title}` });
    return el("li", {}, name, el("span", { class: "t-quiet" }, about), el("span", { class: "t-tools shown" }, rename, forget));
  }

  function renaming(head, name, draw) {
    const box = el("input", { type: "text", value: head.title, maxlength: 120, "aria-label": "Title of the chat" });
    const done = async () => {
      const title = box.value.trim();
      const document = await read("documents", (store) => store.get(head.id));
      if (title && title !== head.title) {
        await put([{ head: { ...head, title, words: `${title}\n${head.words}`.toLowerCase() }, document: { ...document, title } }]);
        if (head.id === state.view.kept) Tiller.act("name_chat", { title });
      }
      draw();
    };
    box.addEventListener("keydown", (event) => { if (event.key === "Enter") done(); if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); draw(); } });
    box.addEventListener("blur", done);
    name.replaceWith(box);
    box.select();
  }

  async function go(head, dialog) {
    dialog.close();
    if (head.family === state.view.family.name) { open(await read("documents", (store) => store.get(head.id))); return; }
    location.assign(`${location.pathname.replace(/\/family\/.*$/, "/").replace(/\/$/, "")}/family/${encodeURIComponent(head.family)}/?kept=${head.id}`);
  }

  async function exportAll() {
    const chats = await read("documents", (store) => store.getAll());
    Tiller.tell("file", { name: `tiller-chats-${new Date().toISOString().slice(0, 10)}.json`, type: "application/json", text: JSON.stringify({ tiller: 1, chats }) });
  }
})();
