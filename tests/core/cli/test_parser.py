"""The command line: what is read, and the sentence for each mistake."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli import option_types
from core.cli.help import help_text
from core.cli.options import CHAT_OPTIONS, INSTALL, MODEL, SERVE, VERBS, Chat, Options
from core.cli.parser import read_command_line
from core.cli.verb_parser import Arguments
from core.errors import UsageError


def test_nothing_typed_is_the_web_app_on_skiff() -> None:
    command = read_command_line([])
    assert (command.verb, command.options) == ("web", Options())
    assert command.options.family == "skiff"


def test_options_stand_before_or_behind_the_verb() -> None:
    before = read_command_line(["--family", "./mine", "--threads=2", "chat", "hello"])
    behind = read_command_line(["chat", "hello", "--threads", "2", "--family=./mine"])
    assert before == behind
    assert before.options == Options(family="./mine", threads=2)
    assert before.chat == Chat(message="hello")


@pytest.mark.parametrize("form", [["--recipe", "-1.5*truth"], ["--recipe=-1.5*truth"], ["--recipe", "-1.50 * truth"]])
def test_a_recipe_may_start_with_a_dash_and_comes_out_canonical(form: list[str]) -> None:
    assert read_command_line(["chat", "hi", *form]).options.recipe == "-1.5*truth"
    assert read_command_line([*form, "chat", "hi"]).options.recipe == "-1.5*truth"


def test_everything_a_chat_takes() -> None:
    line = [
        "chat",
        "--json",
        "--seed",
        "7",
        "--temperature",
        "0.8",
        "--max-tokens",
        "5",
        "--system",
        "Be short.",
        "-- hm",
    ]
    assert read_command_line(line).chat == Chat("-- hm", "Be short.", 0.8, 7, 5, True)


def test_where_the_web_app_is_served() -> None:
    options = read_command_line(["--host", "0.0.0.0", "--port", "8000", "--share"]).options
    assert (options.host, options.port, options.share) == ("0.0.0.0", 8000, True)


def test_names_of_devices_and_types() -> None:
    assert read_command_line(["--device", "cuda:1", "--dtype", "bf16"]).options == Options(
        device="cuda:1", dtype="bfloat16"
    )
    assert read_command_line(["--device", "auto", "--dtype", "auto"]).options == Options()
    assert read_command_line(["--quantize", "4-bit", "--max-memory", "0:20GB,cpu:30GB"]).options == Options(
        quantize="4bit", max_memory="0:20GB,cpu:30GB"
    )


def test_a_link_goes_to_the_terminal_app() -> None:
    assert read_command_line(["tui", "http://127.0.0.1:7860/?s=abc"]).options.link == "http://127.0.0.1:7860/?s=abc"


def test_some_verbs_read_their_own_arguments() -> None:
    command = read_command_line(["test", "-k", "recipe", "--torch-index", "https://example.org/cpu", "-x", "--help"])
    assert command.rest == ("-k", "recipe", "-x", "--help")
    assert command.torch_index == "https://example.org/cpu"


def test_verbs_with_arguments_of_their_own_read_the_models_as_the_others_do() -> None:
    parser = Arguments("launch.py x")
    parser.add_model(recipe="how to steer")
    found = parser.parse_args([])
    assert (found.family, found.checkpoint, found.recipe, found.device, found.dtype) == (
        "skiff",
        "",
        "",
        "auto",
        "auto",
    )
    assert found.threads == 0
    found = parser.parse_args(["--quantize", "8bit"])
    assert (found.quantize, found.max_memory) == ("8bit", "")
    found = parser.parse_args(["--recipe", "-1.20*truth", "--dtype", "bf16", "--threads", "2", "--checkpoint=sft"])
    assert (found.recipe, found.dtype, found.threads, found.checkpoint) == ("-1.2*truth", "bfloat16", 2, "sft")
    for line in (
        ["--recipe", "zz*"],
        ["--threads", "0"],
        ["--checkpoint", ""],
        ["--device", "gpu"],
        ["--recipe", "--threads"],
    ):
        with pytest.raises(UsageError):
            parser.parse_args(line)


def test_a_message_that_starts_with_a_dash() -> None:
    assert read_command_line(["chat", "--", "--json"]).chat == Chat(message="--json")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["chta", "hi"], "did you mean chat?"),
        (["wbe"], "did you mean web?"),
        (["--famly", "x"], "did you mean --family?"),
        (["chat", "hi", "-j"], "There is no option -j"),
        (["tui", "--port", "80"], "--port does not go with tui; it belongs to web."),
        (["chat", "hi", "--share"], "belongs to web"),
        (["--port"], "--port needs a value: --port N."),
        (["--port", "--share"], "--port needs a value"),
        (["--port", "70000"], "a whole number from 1 to 65535, not '70000'"),
        (["--threads", "0"], "from 1 to"),
        (["--threads", "²"], "a whole number"),
        (["--share=yes"], "takes no value"),
        (["--device", "gpu"], "auto, cpu, cuda"),
        (["--dtype", "int4"], "auto, float32, bfloat16 or float16"),
        (["--quantize", "2bit"], "--quantize takes none, 8bit or 4bit, not '2bit'"),
        (["--max-memory", "lots"], "--max-memory: 'lots' is no amount of memory; write 20GB"),
        (["--family", " "], "--family is empty"),
        (["chat", "hi", "--temperature", "nan"], "a number from 0"),
        (["chat", "hi", "--temperature", "warm"], "a number from 0"),
        (["chat", "hi", "--recipe", "1.5*"], "Column 5"),
        (["chat", "hi", "--recipe", "1e9*truth"], "a strength lies between"),
        (["chat", "two", "words"], "put the message in quotes"),
        (["tui", "LINK", "--recipe", "!truth"], "leave out --recipe, or leave out the link"),
        (["test", "--torch-index", "cpu"], "starts with https://"),
        (["test", "--torch-index"], "starts with https://"),
    ],
)
def test_mistakes_get_one_sentence_with_the_fix(line: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_command_line(line)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


WORDS = [
    *VERBS,
    *(f"--{name}" for name in {**MODEL, **SERVE, **CHAT_OPTIONS, **INSTALL}),
    "--",
    "-",
    "",
    "=",
    "-x",
    "--help",
    "help",
]


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=6))
def test_any_command_line_is_read_or_refused_in_a_sentence(line: list[str]) -> None:
    # Any other error than a UsageError fails the test.
    with contextlib.suppress(UsageError):
        assert read_command_line(line).verb in {*VERBS, "help"}


def test_help_teaches_every_verb_and_option() -> None:
    whole = help_text()
    for name, verb in VERBS.items():
        assert name in whole
        assert verb.summary in whole
        text = help_text(name)
        assert all(f"--{option}" in text for option in verb.options)
        assert "launch.py" in text.split("examples")[1]
    for option in (*MODEL, *SERVE, *CHAT_OPTIONS, *INSTALL):
        assert f"--{option}" in whole


def test_help_is_asked_for_in_every_usual_way() -> None:
    assert [
        read_command_line(line).topic for line in (["--help"], ["-h"], ["help"], ["help", "chat"], ["chat", "-h"])
    ] == [
        None,
        None,
        None,
        "chat",
        "chat",
    ]
    assert {read_command_line(line).verb for line in (["--help"], ["help", "chat"], ["tui", "--help"])} == {"help"}


def test_the_examples_of_the_help_can_be_typed() -> None:
    for verb in VERBS.values():
        for arguments, _ in verb.examples:
            line = arguments.rpartition("launch.py")[2]
            read_command_line(shlex.split(line))


@pytest.mark.parametrize("name", ["", " ", "{there}", "/dev/null/figures.csv", "/proc/figures.csv"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_computed(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no name for a file|cannot be written \(/"):
        option_types.file(name.format(there=tmp_path))
    # A folder that is not there yet is made when the file is written.
    assert option_types.file(str(tmp_path / "new" / "figures.csv")) == tmp_path / "new" / "figures.csv"
    assert not list(tmp_path.iterdir())
