"""What the page's events do: recipes, sliders, columns and the colouring. Each handler tells the page what holds now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from app.chat.conversation import Chat, Told
from app.visits import Visit, index, number, text
from core.chat.screens import TABS
from core.errors import TillerError
from core.recipes.language import Recipe

Said = Mapping[str, Any]


class Steering:
    """The handlers of the steering panel and of the columns' heads."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    # ------------------------------------------------------------------------------------------------------ the recipe

    def slide(self, event: gr.EventData, request: gr.Request) -> Told:
        """A slider is being moved: the recipe line follows, and a run goes on with it from its next token."""
        visit, said = self.chat.heard(event, request)
        return self._followed(visit, said, lambda: self.attempt(visit, lambda: self._strength(visit, said)))

    def typing(self, event: gr.EventData, request: gr.Request) -> Told:
        """The recipe line is being typed: the sliders follow as soon as it can be read."""
        visit, said = self.chat.heard(event, request)
        line = str(said.get("recipe", ""))
        return self._followed(visit, said, lambda: self.attempt(visit, lambda: self._recipe(visit, said), line))

    def _followed(self, visit: Visit, said: Said, act: Callable[[], object]) -> Told:
        """Do what one of many quick changes asks, unless the page has asked for something since. That tells the page what there is now:
        two replies that come to it at once are one to it, and the later to come may be the older."""
        if said.get("heard") == visit.heard:
            act()
        return self.chat.view(visit) if said.get("heard") == visit.heard else gr.skip(), gr.skip()

    def revise(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """The recipe was changed and let go of: the column's answer is made anew, unless it is at hand or being written."""
        visit, said = self.chat.heard(event, request)
        changes = {
            "strength": self._strength,
            "recipe": self._recipe,
            "source": self._source,
            "ablate": self._ablate,
            "reset": self._reset,
        }
        change = changes.get(text(said, "kind"))
        if change is None:
            raise TillerError("The page asked for a change that there is not; reload it.")
        changed = self.attempt(visit, lambda: change(visit, said), str(said.get("recipe", "")))
        if not changed or visit.writes(visit.settings.selected) or not visit.session.stale(visit.settings.selected):
            yield self.chat.view(visit), gr.skip()
        elif not visit.running and self._at_hand(visit, str(said.get("direction", ""))):
            yield self.chat.view(visit), self.chat.everything(visit)
        else:
            # Columns that were being written when this one was let go are written anew beside it.
            columns = [each for each in range(len(visit.settings.columns)) if visit.writes(each)]
            self.chat.end(visit)
            yield from self.chat.answer(visit, sorted({*columns, visit.settings.selected}))

    def attempt(self, visit: Visit, act: Callable[[], Recipe], line: str = "") -> bool:
        """Change the recipe; what cannot be read is said beside it, with what a typed ``line`` may have meant, and the old one stays."""
        with visit.lock:
            before = visit.settings.column.recipe
            try:
                recipe = act()
            except TillerError as error:
                visit.recipe_error = str(error)
                visit.recipe_meant = (
                    visit.engine.catalogue.corrected(line, visit.settings.column.checkpoint) if line else ""
                )
                return False
            visit.recipe_error = visit.recipe_meant = ""
            visit.session.set_recipe(recipe)
            if visit.run is not None and visit.writes(visit.settings.selected) and recipe != before:
                visit.run.set_recipe(visit.settings.selected, recipe)
            return True

    def _strength(self, visit: Visit, said: Said) -> Recipe:
        return visit.sliders.move(visit.settings, text(said, "direction"), number(said, "strength"))

    def _recipe(self, visit: Visit, said: Said) -> Recipe:
        return visit.sliders.write(visit.settings, text(said, "recipe"))

    def _source(self, visit: Visit, said: Said) -> Recipe:
        return visit.sliders.set_source(visit.settings, text(said, "direction"), text(said, "source"))

    def _ablate(self, visit: Visit, said: Said) -> Recipe:
        return visit.sliders.ablate(visit.settings, text(said, "direction"), said.get("on") is True)

    def _reset(self, visit: Visit, said: Said) -> Recipe:
        return visit.sliders.reset(visit.settings, text(said, "direction"))

    def _at_hand(self, visit: Visit, name: str) -> bool:
        """Put a scrubbed answer into the column, if one was computed at exactly this strength."""
        known = bool(visit.engine.catalogue.sources(name))
        return known and visit.sliders.show_computed(visit.session, visit.scrubs, name)

    # ------------------------------------------------------------------------------------------------------ the columns

    def select(self, event: gr.EventData, request: gr.Request) -> Told:
        """Another column is the one that the sliders act on, perhaps with another colouring."""
        visit, said = self.chat.heard(event, request)
        with visit.lock:
            before = visit.engine.lenses(visit.settings)
            self._select(visit, said)
        # Another checkpoint's readings have another range; a run tells its tokens anew by itself.
        recoloured = not visit.running and visit.engine.lenses(visit.settings) != before
        return self.chat.view(visit), self.chat.everything(visit) if recoloured else gr.skip()

    def _select(self, visit: Visit, said: Said) -> None:
        settings, session = visit.settings, visit.session
        if "column" in said:
            settings = replace(settings, selected=index(said, "column", settings.columns))
            visit.recipe_error = visit.recipe_meant = ""
        if said.get("lens") in [each.name for each in visit.engine.lenses(settings)]:
            settings = replace(settings, lens=text(said, "lens"))
        session.settings = settings

    def tab(self, event: gr.EventData, request: gr.Request) -> Told:
        """Another tab was opened; the page shows it already, and its link is to open it too."""
        visit, said = self.chat.heard(event, request)
        if said.get("tab") in [each.name for each in TABS]:
            with visit.lock:
                visit.session.settings = replace(visit.settings, tab=text(said, "tab"))
        return self.chat.view(visit), gr.skip()

    def checkpoint(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """A column was given another checkpoint: its last answer is made anew."""
        visit, said = self.chat.heard(event, request)
        self.chat.end(visit)
        try:
            column, name = index(said, "column", visit.settings.columns), text(said, "checkpoint")
            visit.engine.explain(visit.settings.columns[column].recipe, name)
            visit.session.set_checkpoint(column, name)
        except TillerError as error:
            yield from self.chat.refuse(visit, error)
            return
        yield from self._again(visit)

    def add(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """One more column: it answers the last message too."""
        visit, _ = self.chat.heard(event, request)
        self.chat.end(visit)
        try:
            visit.session.add_column(visit.settings.column.checkpoint)
        except TillerError as error:
            yield from self.chat.refuse(visit, error)
            return
        yield from self._again(visit)

    def ask_for_it(self, event: gr.EventData, request: gr.Request) -> Iterator[Told]:
        """One more column beside the selected one: the same checkpoint without its recipe, asked in words for what that does."""
        visit, _ = self.chat.heard(event, request)
        self.chat.end(visit)
        try:
            chosen = visit.settings.column
            visit.session.add_column(chosen.checkpoint, visit.engine.wish(chosen))
        except TillerError as error:
            yield from self.chat.refuse(visit, error)
            return
        yield from self._again(visit)

    def drop(self, event: gr.EventData, request: gr.Request) -> Told:
        """A column was closed."""
        visit, said = self.chat.heard(event, request)
        self.chat.end(visit)
        try:
            visit.session.drop_column(index(said, "column", visit.settings.columns))
            visit.sliders.forget()
        except TillerError as error:
            visit.notice = str(error)
        return self.chat.view(visit), self.chat.everything(visit)

    def _again(self, visit: Visit) -> Iterator[Told]:
        """The columns are others: what they did not write is made anew."""
        if visit.session.lacking:
            yield from self.chat.answer(visit, visit.session.lacking)
        else:
            yield self.chat.view(visit), gr.skip()
