"""The command line: what is read, and the sentence for each mistake."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import launch
from core.cli import finding_arguments, option_types, precompute, verb_arguments
from core.cli.command_line import help_text
from core.cli.options import ChatOptions, Options
from core.directions.methods import METHODS
from core.engine.engine import Engine
from core.errors import UsageError
from core.knowledge import maps
from core.skiff import verbs as skiff_verbs
from core.skiff.evaluate.command import TRANSCRIPTS
from core.skiff.evaluate.measures import SKIFF_MEASURES
from core.undo import fit
from core.util.program import DEFAULT_FAMILY
from core.util.version import VERSION
from tests.support.command import VERBS, read

#: They train models of their own, and take none.
TRAINERS = ("train-skiff", "train-smollm2")


def test_nothing_typed_is_the_web_app_on_skiff() -> None:
    command = read([])
    assert (command.verb.name, command.options) == ("web", Options())
    assert command.options.family == "skiff"


def test_options_stand_before_or_behind_the_verb() -> None:
    before = read(["--family", "./mine", "--threads=2", "chat", "hello"])
    behind = read(["chat", "hello", "--threads", "2", "--family=./mine"])
    assert before.options == behind.options
    assert before.options == ChatOptions(family="./mine", threads=2, message="hello")


@pytest.mark.parametrize("form", [["--recipe", "-1.5*truth"], ["--recipe=-1.5*truth"], ["--recipe", "-1.50 * truth"]])
def test_a_recipe_may_start_with_a_dash_and_comes_out_canonical(form: list[str]) -> None:
    assert read(["chat", "hi", *form]).options.recipe == "-1.5*truth"
    assert read([*form, "chat", "hi"]).options.recipe == "-1.5*truth"


def test_everything_a_chat_takes() -> None:
    line = ["chat", "--json", "--seed", "7", "--temperature", "0.8", "--max-tokens", "5", "--system", "Be short."]
    wanted = ChatOptions(message="-- hm", system="Be short.", temperature=0.8, seed=7, max_tokens=5, as_json=True)
    assert read([*line, "-- hm"]).options == wanted


def test_where_the_web_app_is_served() -> None:
    options = read(["--host", "0.0.0.0", "--port", "8000", "--share"]).options
    assert (options.host, options.port, options.share) == ("0.0.0.0", 8000, True)


def test_names_of_devices_and_types() -> None:
    assert read(["--device", "cuda:1", "--dtype", "bf16"]).options == Options(device="cuda:1", dtype="bfloat16")
    assert read(["--device", "auto", "--dtype", "auto"]).options == Options()
    assert read(["--quantize", "4-bit", "--max-memory", "0:20GB,cpu:30GB"]).options == Options(
        quantize="4bit", max_memory="0:20GB,cpu:30GB"
    )


def test_a_link_goes_to_the_terminal_app() -> None:
    assert read(["tui", "http://127.0.0.1:7860/?s=abc"]).options.link == "http://127.0.0.1:7860/?s=abc"


def test_pytest_gets_its_arguments_as_they_are() -> None:
    line = ["test", "-k", "recipe", "--torch-index", "https://example.org/cpu", "-x", "--help", "--", "--json"]
    options = read(line).options
    assert options.words == ["-k", "recipe", "-x", "--help", "--", "--json"]
    assert options.torch_index == "https://example.org/cpu"
    assert read(["--torch-index=https://example.org/cpu", "test", "--offline"]).options.words == ["--offline"]


@pytest.mark.parametrize("verb", [name for name, verb in VERBS.items() if "--dtype" in verb.parser.named])
def test_every_verb_reads_the_model_in_the_same_way(verb: str) -> None:
    needed = {
        "import": ["f", "--name", "n"],
        "bake": ["--out", "o"],
        "learn": ["x"],
        "undo": ["x"],
        "space": ["a/b"],
    }.get(verb, [])
    if verb not in TRAINERS:
        found = read(
            ["--family", "./mine", verb, *needed, "--dtype", "bf16", "--threads=2", "--checkpoint=sft"]
        ).options
        assert (found.family, found.dtype, found.threads, found.checkpoint) == ("./mine", "bfloat16", 2, "sft")
        plain = read([verb, *needed]).options
        assert (plain.recipe, plain.max_memory, plain.placing.quantize) == ("", "", "none")
    for line in (["--threads", "0"], ["--device", "gpu"], ["--recipe", "--threads"], ["--quantize", "3bit"]):
        with pytest.raises(UsageError):
            read([verb, *needed, *line])


@pytest.mark.parametrize("verb", ["blame", "bench", "web"])
def test_any_value_may_start_with_a_dash(verb: str) -> None:
    assert read([verb, "--family", "-x"]).options.family == "-x"
    assert read([verb, "--fami=-x"]).options.family == "-x", "a beginning that no other option has is enough"
    with pytest.raises(UsageError, match="'extra' is one argument too many for web"):
        read(["web", "extra"])
    with pytest.raises(UsageError, match="--family needs a value: --family NAME"):
        read([verb, "--family", "--offline"])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            ["learn", "x", "--recipe", "-1*truth"],
            "learn works on a checkpoint as it is; leave --recipe out and steer by",
        ),
        (["blame", "x", "--recipe=zz*"], "leave --recipe out"),
        (["transfer", "--quantize", "4bit"], "leave --quantize out"),
        (["train-skiff", "--family", "skiff"], "train-skiff takes no --family: it writes a family of its own"),
    ],
)
def test_what_means_nothing_for_a_verb_is_refused_with_the_reason(line: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(line)
    assert sentence in str(caught.value)
    assert read(["transfer", "--quantize", "none"]).options.quantize == "none", "it asks for nothing"


def test_what_a_help_names_is_what_there_is() -> None:
    assert tuple(METHODS) == verb_arguments.LEARNING_METHODS
    assert (*precompute.BUILDERS, precompute.NOISE, precompute.RECORDED) == verb_arguments.PARTS
    assert verb_arguments.FIT_STEPS == fit.STEPS
    assert (finding_arguments.PAIRS, finding_arguments.MOST_PAIRS) == (maps.PAIRS, maps.MOST_PAIRS)
    assert (*SKIFF_MEASURES, TRANSCRIPTS) == skiff_verbs.EVALUATED


def test_a_message_that_starts_with_a_dash() -> None:
    assert read(["chat", "--", "--json"]).options == ChatOptions(message="--json")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["chta", "hi"], "did you mean chat?"),
        (["wbe"], "did you mean web?"),
        (["--famly", "x"], "did you mean --family?"),
        (["--prot", "3"], "did you mean --port?"),
        (["chat", "hi", "-j"], "There is no option -j"),
        (["tui", "--port", "80"], "--port does not go with tui; it belongs to web and serve."),
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
        (["families", ""], "NAME is empty; give it a value or leave it out"),
        (["families", "--forget", " "], "--forget is empty"),
        *(
            (line, f"{line[-2] if len(line) > 2 else name} is empty; give it a value or leave it out.")
            for line, name in (
                (["precompute", "--what", ""], ""),
                (["learn", "x", "--pairs", ""], ""),
                (["transfer", "--from", ""], ""),
                (["blame", "x", "--path", ""], ""),
                (["chat", "x", "--preset", ""], ""),
                (["chats", "--export", ""], ""),
                (["get", ""], "FAMILY"),
                (["export", ""], "NAME"),
                (["undo", " "], "STAGE"),
                (["chats", ""], "WORD"),
            )
        ),
        (["chat", "x", "--preset="], "--preset is empty; give it a value or leave it out."),
        (["chat", "hi", "--temperature", "nan"], "a number from 0"),
        (["chat", "hi", "--temperature", "warm"], "a number from 0"),
        (["chat", "hi", "--recipe", "1.5*"], "Character 5"),
        (["chat", "hi", "--recipe", "1e9*truth"], "a strength lies between"),
        (["chat", "two", "words"], "put the message in quotes"),
        (["tui", "LINK", "--recipe", "!truth"], "leave out --recipe, or leave out the link"),
        (["chat", "hi", "--systm=Be short."], "There is no option --systm; did you mean --system?"),
        (["chat", "hi", "--csv", "x"], "--csv does not go with chat; it belongs to blame, trace and probe."),
        (["chat", "hi", "--version"], "There is no option --version"),
        (["help", "chta"], "did you mean chat?"),
        (["blame", "two", "words"], "put the prompt in quotes"),
        (["import"], "The following arguments are required: FILE, --name: python launch.py import FILE --name NAME."),
        (["learn", "x", "--layer", "-1"], "--layer takes a whole number from 0"),
        (["learn", "x", "--method", "best"], "--method takes mean_difference, pca, logistic, ccs or ttpd, not 'best'"),
        (["import", "f", "--name", "n", "--scale", "much"], "--scale takes a number, not 'much'"),
        (["blame", "x", "--max-tokens", "0"], "--max-tokens takes a whole number from 1 to 4096"),
        (["train-skiff", "--variants"], "--variants needs a value: --variants NAME."),
        (["evaluate", "--only", "facts", "figures"], "--only takes facts, judging"),
        (["--csv", "f", "blame", "x"], "--csv does not go with web; it belongs to blame, trace and probe."),
        (["test", "--torch-index", "cpu"], "starts with https://"),
        (["test", "--torch-index"], "--torch-index needs a value: --torch-index URL."),
    ],
)
def test_mistakes_get_one_sentence_with_the_fix(line: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(line)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


OPTIONS = sorted({name for verb in VERBS.values() for name in verb.parser.named})


@given(
    st.lists(st.sampled_from([*VERBS, *OPTIONS, "--", "-", "", "=", "-x", "help"]) | st.text(max_size=8), max_size=6)
)
def test_any_command_line_is_read_or_refused_in_a_sentence(line: list[str]) -> None:
    try:
        assert read(line).verb.name in VERBS
    except UsageError as error:
        assert str(error).isprintable() or not "".join(line).isprintable()
        assert str(error).endswith((".", "?"))


@given(st.sampled_from([*VERBS]), st.lists(st.text(min_size=1, max_size=6).filter(str.strip), max_size=2))
def test_an_option_is_read_alike_before_and_behind_the_verb(verb: str, values: list[str]) -> None:
    given_options = [f"--{name}={value}" for name, value in zip(("family", "checkpoint"), values, strict=False)]
    outcomes = []
    for line in ([*given_options, verb], [verb, *given_options]):
        try:
            outcomes.append(vars(read(line).options) if verb != "test" else {})
        except UsageError as error:
            outcomes.append({"error": str(error)} if verb != "test" else {})
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("name", [*VERBS])
def test_help_teaches_every_verb_and_option(name: str) -> None:
    verb = VERBS[name]
    assert f"  {name:<14}{verb.summary}" in help_text(VERBS)
    text = help_text(VERBS, name)
    if name != "test":
        assert read([name, "--help"]).text == read(["help", name]).text == text
    assert text.startswith(f"usage: python launch.py {verb.usage}\n\n")
    hidden = {"family", "checkpoint", "recipe", "device", "dtype"} if name in TRAINERS else set()
    assert all(option in text for option in verb.parser.named if option[2:] not in hidden)
    assert all(line in text for line in verb.lines)
    assert "python launch.py" in text.rpartition("examples:")[2]


def test_the_whole_help_names_the_options_that_may_stand_before_a_verb() -> None:
    whole = help_text(VERBS)
    for name in ("web", "chat"):
        assert all(option in whole for option in VERBS[name].parser.named)
    for line in (["--help"], ["-h"], ["help"], ["--family", "x", "-h"]):
        assert read(line).text == whole
    assert read(["--version"]).text == f"Tiller {VERSION}"


def test_an_installed_command_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/tiller", "--help"])
    text = help_text(VERBS, "chat")
    assert text.startswith("usage: tiller chat")
    assert '  echo "Tell me about whales." | tiller chat\n' in text
    assert "python launch.py" not in text
    with pytest.raises(UsageError, match=r"`tiller chat --help` lists"):
        read(["chat", "--zzzzzzzz"])
    assert launch.console() == 0


def test_the_examples_of_the_help_can_be_typed() -> None:
    engine = Engine(DEFAULT_FAMILY, threads=1)
    for verb in VERBS.values():
        for arguments, _ in verb.examples:
            line = arguments.rpartition("launch.py")[2]
            command = read(shlex.split(line))
            assert command.verb is verb
            # What it names is there, in the family that ships; a model that is meant is not.
            options = command.options
            if options.family == DEFAULT_FAMILY and not (options.model or options.base):
                settings = engine.settings(options.checkpoint, options.recipe)
                for column in settings.columns:
                    engine.explain(column.recipe, column.checkpoint)


@pytest.mark.parametrize("name", ["", " ", "{there}", "/dev/null/figures.csv", "/proc/figures.csv"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_computed(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no name for a file|cannot be written \(/"):
        option_types.file(name.format(there=tmp_path))
    # A folder that is not there yet is made when the file is written.
    assert option_types.file(str(tmp_path / "new" / "figures.csv")) == tmp_path / "new" / "figures.csv"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "{there}", "{there}/file", "/dev/null/folder", "/proc/folder"])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_computed(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", "utf-8")
    said = r"is empty|is there already and not empty|is a file, and a folder|cannot be written \(/|cannot be read"
    for line in (["bake", "--recipe", "!truth"], ["undo", "safety"]):
        with pytest.raises(UsageError, match=said):
            read([*line, "--out", name.format(there=tmp_path)])
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    (tmp_path / "empty").mkdir()
    for good in (tmp_path / "empty", tmp_path / "new" / "folder"):
        assert option_types.new_folder(str(good)) == good
