/* The picker: every family that is at hand, and a box for a model of one's own. Opening one loads its page, with the chat that this browser
   last had with that family. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;
  const WORDS = { look_at: "Looking …", open_family: "Opening …", forget_copy: "Deleting …", delete_download: "Deleting …" };
  let shown = null;             // what the open dialog draws with
  let asked = null;             // what was asked for and is not answered yet: {text, tell, link}

  Tiller.families = () => {
    const said = el("p", { class: "t-quiet", role: "status" }, "Looking what is here …");
    const list = el("div", { class: "t-families" });
    const box = el("input", { type: "text", placeholder: "a folder, a .gguf file, or owner/model", "aria-label": "A model of your own", spellcheck: "false", autocomplete: "off" });
    const look = button("Look", "What it would take, before anything is loaded.", () => ask("look_at", box.value));
    const open = el("button", { type: "submit", class: "t-button primary", title: "Open it; this chat is kept, and comes back with its family." }, "Open");
    const typed = el("form", { class: "t-typed", hidden: true }, box, look, open);
    typed.addEventListener("submit", (event) => { event.preventDefault(); ask("open_family", box.value); });
    // Another text: what was asked for before is not wanted any more.
    box.addEventListener("input", () => { if (asked) { rest(); tell(""); } });
    const dialog = Tiller.dialog("Open a family or a model", typed, said, list);
    dialog.addEventListener("close", () => { shown = null; asked = null; });
    shown = { said, list, typed, dialog };
    Tiller.act("families");
  };

  /* Open a family from elsewhere on the page, with the chat of a link. */
  Tiller.openFamily = (text, link, says) => request("open_family", text, says, link);

  function ask(event, text) {
    if (!text.trim()) { tell("Write a folder, a .gguf file, or owner/model first.", true); return; }
    if (request(event, text.trim(), tell, "")) tell(WORDS[event]);
  }

  function request(event, text, says, link) {
    if (asked) return false;
    asked = { text, tell: says, link };
    idle(false);
    Tiller.act(event, { text });
    return true;
  }

  function rest() { asked = null; idle(true); }

  /* One thing is asked for at a time. */
  function idle(may) {
    if (shown) for (const each of shown.dialog.querySelectorAll(".t-typed button, .t-families button")) each.disabled = !may || "here" in each.dataset;
  }

  function tell(sentence, wrong = false) {
    if (!shown) return;
    shown.said.classList.toggle("wrong", wrong);
    fill(shown.said, sentence);
  }

  function row(each) {
    const here = Boolean(each.path) && each.path.replace(/\/$/, "") === base();
    const about = el("span", { class: "t-quiet" }, here ? `${each.about} · open here` : each.about);
    const name = button(each.title, each.text, () => ask("open_family", each.text), { class: "t-button", disabled: here, "data-here": here });
    if (each.fetched && !each.path) about.append(" ", deleting(`Delete the download (${each.fetched})`, "It can be got again; what was learnt on it stays.", "delete_download", each.text));
    else if (each.converted && !each.path) about.append(" ", deleting("Delete the converted copy", "It is converted anew when it is opened; what was learnt on it stays.", "forget_copy", each.text));
    if (each.get) {
      about.append(" ", button(`get it (${each.get})`, "What would come, and from where, before anything is fetched.", () => {
        shown.dialog.close();
        Tiller.getWeights(each.text);
      }, { class: "t-button t-small" }));
    }
    return el("li", {}, name, about);
  }

  /* A button that asks once before anything is deleted. */
  function deleting(words, note, event, text) {
    const first = button(words, note, () => { home.replaceChildren(el("span", {}, "For good?"), sure, keep); sure.focus(); }, { class: "t-button t-small" });
    const sure = button("Delete", note, () => ask(event, text), { class: "t-button t-small t-stop" });
    const keep = button("Keep it", "Nothing is deleted.", () => { home.replaceChildren(first); first.focus(); }, { class: "t-button t-small" });
    const home = el("span", { class: "t-sure" }, first);
    return home;
  }

  /* The path of this page's family on the server, whatever a proxy puts before it. */
  function base() {
    const at = location.pathname.indexOf("/family/");
    return at < 0 ? "" : location.pathname.slice(at).replace(/\/$/, "");
  }

  function root() { return location.pathname.replace(/\/family\/.*$/, "/"); }

  Tiller.on("shelf", (shelf) => {
    if ((shelf.real && !shelf.done) || shelf.getting) return;
    if (shelf.families) { draw(shelf); return; }
    // What comes of something that was asked for before is not wanted any more.
    if (shelf.asked === undefined ? !shown : !asked || shelf.asked !== asked.text) return;
    const says = asked ? asked.tell : tell, link = asked ? asked.link : "";
    if (shelf.go) {
      const query = link || Tiller.lastChat(shelf.name);
      location.assign(root().replace(/\/$/, "") + shelf.go + (query ? `?${query}` : ""));
      return;
    }
    rest();
    if (shelf.error) says(shelf.error, true);
    if (shelf.done) { shown.done = shelf.done; Tiller.act("families"); }
    if (shelf.look) says(`${shelf.look.title}: ${shelf.look.about}.`, !shelf.look.fits);
  });

  function draw(shelf) {
    if (!shown) return;
    shown.typed.hidden = !shelf.typed;
    const groups = [...new Set(shelf.families.map((each) => each.group))];
    fill(shown.list, ...groups.flatMap((group) => [
      el("h3", {}, group), el("ul", {}, ...shelf.families.filter((each) => each.group === group).map(row)),
    ]));
    if (asked) { idle(false); return; }
    tell(shown.done ? shown.done : shelf.families.length > 1 || shelf.typed ? "" : "This server offers this family alone.");
  }

  /* Under the head of the page: its address asked for something that it is not, and where that can be had. */
  Tiller.elsewhere = () => {
    const said = el("span", {});
    const open = button("", "Open that family with the link's columns, recipes and messages.", () => {
      open.disabled = true;
      const { text, link } = state.elsewhere;
      Tiller.openFamily(text, link, (sentence) => { fill(said, sentence); open.disabled = false; });
    }, { class: "t-button primary" });
    const close = button("×", "Go on with this page's chat.", () => { Tiller.settle(); strip.hidden = true; }, { class: "t-button t-close", "aria-label": "Close" });
    const strip = el("div", { class: "t-elsewhere", role: "alert", hidden: true }, said, open, close);
    // What fills the screen's height has so much less of it.
    new ResizeObserver(() => document.body.style.setProperty("--t-strip", strip.hidden ? "0px" : `${strip.offsetHeight + 9}px`)).observe(strip);
    Tiller.on("view", () => {
      const { elsewhere } = state;
      if (!elsewhere || !strip.hidden) return;
      strip.hidden = false;
      fill(said, elsewhere.said);
      open.hidden = !elsewhere.text;
      fill(open, `Open ${elsewhere.title}`);
    });
    return strip;
  };
})();
