"""What is older in the terminal: pale, named, and answered anew where nobody has to ask for it; and the list of what goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.chat.events import Status
from core.chat.settings import Sampling
from core.engine.job_list import JobLine
from tests.support.terminal import ask, running, screen_text, shows, until
from tests.tui.test_chat import family, own_state, slider  # noqa: F401  The fixtures.
from tui.dialogs.jobs import JobsDialog
from tui.widgets.header import Header


async def test_a_link_is_live_without_a_press(family: Path) -> None:  # noqa: F811
    async with running(family) as (app, pilot):
        await ask(app, pilot, "Hello")
        linked, said = app.chat.session.settings, [app.chat.session.answers[column].text for column in (0, 1)]
    async with running(family, opened=linked) as (app, pilot):
        await until(pilot, lambda: app.chat.runs.run is None and len(app.chat.session.answers) == 2)
        assert [app.chat.session.answers[column].text for column in (0, 1)] == said


async def test_other_sampling_makes_an_answer_pale_and_says_by_what_it_was_written(family: Path) -> None:  # noqa: F811
    async with running(family, size=(140, 40)) as (app, pilot):
        await ask(app, pilot, "Hello")
        assert not app.chat.transcript.last[1].face.older
        settings = app.chat.session.settings
        app.chat.dialogs._take_sampling((settings.system, replace(settings.sampling, temperature=3.0)))
        # At once: soon the slider's answers are there under the new sampling, and the one that belongs here takes this one's place.
        assert app.chat.transcript.last[1].face.hint == "written at temperature 0; Ctrl+R answers again"
        assert app.chat.transcript.last[1].face.older
        await shows(app, pilot, "Above a temperature of 2")
        app.chat.dialogs._take_sampling((settings.system, settings.sampling))
        await until(pilot, lambda: not app.chat.transcript.last[1].face.older)


async def test_another_checkpoint_shows_what_was_there_until_it_answers(family: Path) -> None:  # noqa: F811
    async with running(family, size=(140, 40)) as (app, pilot):
        await ask(app, pilot, "Hello")
        before = app.chat.session.answers[0].text
        app.chat.session.set_checkpoint(0, "base")
        app.chat.session.waiting([0])
        app.chat.view.draw()
        face = app.chat.transcript.last[0].face
        assert (face.answer, face.text, face.older) == (None, before, True)
        assert face.hint == "written by chat, plain; answering anew …"


async def test_the_head_says_what_goes_on_as_far_as_there_is_room(family: Path) -> None:  # noqa: F811
    async with running(family, size=(140, 40)) as (app, pilot):
        jobs = (JobLine("learning polite on chat", part=0.35, left=1200.0), JobLine("tracing cities on base", True))
        header = Header()
        header.show(Status("ready", "Ready.", tokens_per_second=31.0), "tiny", jobs)
        assert header.sentence(200).startswith("learning polite on chat, 35 %, about 20 min +1 · ready · 31 tok/s")
        assert header.sentence(30).startswith("2 jobs · ")
        assert header.sentence(10) == "2 jobs"
        assert "job" not in header.sentence(5)
        app.show_jobs()
        await pilot.pause()
        assert isinstance(app.screen, JobsDialog)
        assert "Nothing goes on" in screen_text(app)


def test_a_sampling_that_hardly_anybody_wants_says_so() -> None:
    assert Sampling(temperature=2.0).hints == {}
    assert Sampling(temperature=2.5).hints["temperature"].endswith("0.7 is usual.")
    assert "penalty of 2" in Sampling(repetition_penalty=3.0).hints["repetition_penalty"]
