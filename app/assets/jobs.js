/* What goes on behind the chats, in the head of the page: what runs, of whom, how long yet, and what waits for what. */
"use strict";

(() => {
  const { el, fill, state } = Tiller;

  Tiller.jobs = () => {
    const head = el("summary", { class: "t-button", title: "Everything that goes on now, for whichever tab or chat." });
    const list = el("ol", {});
    const home = el("details", { class: "t-menu t-jobs", hidden: true }, head, list);
    document.addEventListener("click", (event) => { if (!home.contains(event.target)) home.open = false; });
    Tiller.on("status", () => {
      // What is being answered is said by the light already; the list says it too, beside what waits for it.
      const { jobs } = state.status, behind = jobs.filter((each) => !each.chat);
      home.hidden = !behind.length;
      if (!behind.length) { home.open = false; return; }
      const more = behind.length > 1 ? ` · ${behind.length - 1} more` : "";
      fill(head, el("span", {}, behind[0].short), more);
      fill(list, ...jobs.map((each) => el("li", { class: each.waits ? "waits" : "" }, el("b", {}, each.short), each.sentence ? el("span", {}, each.sentence) : null)));
    });
    return home;
  };
})();
