/* What goes on behind the chats, in the head of the page: what runs, for whom, how long yet, what waits for what; and an end to it. */
"use strict";

(() => {
  const { el, fill, button, state } = Tiller;

  Tiller.jobs = () => {
    const head = el("summary", { class: "t-button", title: "Everything that goes on now, for whichever tab or chat." });
    const list = el("ol", {});
    const home = el("details", { class: "t-menu t-jobs", hidden: true }, head, list);
    const lines = new Map();     // what is drawn, by its key
    document.addEventListener("click", (event) => { if (!home.contains(event.target)) home.open = false; });
    home.addEventListener("keydown", (event) => { if (event.key === "Escape" && home.open) { home.open = false; head.focus(); event.stopPropagation(); } });

    function line(each) {
      const name = el("b", {}), said = el("span", {});
      const end = button("Cancel", "It ends; what was found out so far is kept where it can be.", () => each.chat ? Tiller.act("stop") : Tiller.act("end_job", { key: each.key }), { class: "t-button t-small" });
      return { name, said, end, row: el("li", {}, name, end, said) };
    }

    /* A line stays the element that it is, so that who is on its button by the keyboard stays there. */
    function draw(jobs) {
      const keys = jobs.map((each) => each.key || each.short);
      for (const [at, each] of jobs.entries()) {
        const shown = lines.get(keys[at]) || line(each);
        lines.set(keys[at], shown);
        fill(shown.name, each.whose ? `${each.short} · ${each.whose}` : each.short);
        fill(shown.said, each.ends ? "It is being cancelled." : each.sentence);
        shown.row.classList.toggle("waits", each.waits);
        // A chat's own page alone stops it.
        shown.end.hidden = each.chat && !(state.view && state.view.running);
        shown.end.disabled = each.ends;
        shown.end.setAttribute("aria-label", `Cancel ${each.title}`);
      }
      for (const key of [...lines.keys()]) if (!keys.includes(key)) lines.delete(key);
      const rows = keys.map((key) => lines.get(key).row);
      if (rows.length !== list.children.length || rows.some((row, at) => row !== list.children[at])) fill(list, ...rows);
    }

    Tiller.on("status", () => {
      // What is being answered is said by the light already; the list says it too, beside what waits for it.
      const { jobs } = state.status, behind = jobs.filter((each) => !each.chat);
      home.hidden = !behind.length;
      if (!behind.length) { home.open = false; draw([]); return; }
      const more = behind.length > 1 ? ` · ${behind.length - 1} more` : "";
      fill(head, el("span", {}, behind[0].short), more);
      draw(jobs);
    });
    return home;
  };
})();
