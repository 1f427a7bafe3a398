"""``launch.py space``: this program, or recorded runs of it, as a Space of the Hugging Face Hub."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from core.cli.options import Options
from core.cli.progress import TerminalProgress
from core.engine.demo_page import Demo, demo_page, make_demo
from core.engine.engine import Engine
from core.errors import TillerError, UsageError
from core.families.checkpoint import Family
from core.families.registry import load_family
from core.models.memory import parse_memory, size_in_words
from core.recipes.language import parse
from core.spaces import contents as files
from core.spaces.contents import SpaceContents
from core.spaces.hardware import Hardware, hardware_of
from core.spaces.publish import page_of, publish, usual_hardware
from core.util.files import check_new_folder
from core.util.program import DEFAULT_FAMILY, program
from core.util.progress import finished

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
#: What a Space of no family in particular opens on, as launch.py does on a Space: a real model, with the toy beside it.
_OPENS, _BESIDE = "smollm2-135m", DEFAULT_FAMILY
#: Gigabytes of checkpoints that a processor reads fast enough, at every token, for a chat.
_QUICK = 4.0


def run_space(options: Options) -> int:
    """Assemble the Space, and list it, write it or upload it. Raises TillerError for what cannot be had there."""
    if not _NAME.fullmatch(options.name):
        raise UsageError(f"{options.name!r} is no name of a Space; write OWNER/NAME, as in ada/steering.")
    if options.prompts and not options.static:
        raise UsageError(
            "A Space that runs has no prompts of its own; add --static for a page of recorded runs, or leave them out."
        )
    if options.out is not None:
        check_new_folder(options.out)
    hardware = hardware_of(options.hardware or usual_hardware())
    if not options.family:
        options.family, options.offers = _OPENS, (*options.offers, _BESIDE)
    made = _recorded(options) if options.static else _running(options, hardware)
    print("\n".join(_listed(options.name, made, hardware, whole=options.dry_run)), flush=True)
    if options.dry_run:
        return 0
    if options.out is not None:
        made.write(options.out)
        print(f"Written to {options.out}; nothing was uploaded.")
        return 0
    for sentence in publish(made, options.name, hardware.name, options.private):
        print(sentence, flush=True)
    if made.sdk == "gradio":
        print(
            "You are its owner at /owner of the Space's own address (Embed this Space → Direct URL), where the Hub says who you are."
        )
    return 0


# ------------------------------------------------------------------------------------------------------------ one that runs


def _running(options: Options, hardware: Hardware) -> SpaceContents:
    together = bool(options.model or options.base)
    engine = Engine(options.family, **options.engine)
    # What cannot be opened here is not put where strangers meet it.
    engine.settings(options.checkpoint, options.recipe)
    family = engine.family
    along = [load_family(each) for each in dict.fromkeys((*(() if together else (options.family,)), *options.offers))]
    learnt = files.learnt_files(family) if options.learnt else files.learnt_by_name(family, _named(options, family))
    if warning := _too_large(family, hardware):
        print(warning, flush=True)
    return files.running(family, _words(options, family), hardware, along, learnt)


def _words(options: Options, family: Family) -> list[str]:
    """The command line that does there what this one would do here."""
    for place in filter(None, (options.model, options.base, options.post, *(source for _, source in options.stages))):
        if Path(place.partition("::")[0]).expanduser().exists():
            raise TillerError(
                f"{place} is on this computer alone, where a Space cannot read it; put it on the Hub (`hf upload OWNER/NAME FOLDER`) and "
                "name it as OWNER/NAME."
            )
    named = {
        "family": "" if options.model or options.base else family.name,
        "model": options.model, "base": options.base, "post": options.post, "checkpoint": options.checkpoint, "recipe": options.recipe,
        "quantize": options.quantize if options.quantize != "none" else "", "dtype": options.dtype if options.dtype != "auto" else "",
        "max-memory": options.max_memory,
    }  # fmt: skip
    words = ["web", *(f"--{name}={value}" for name, value in named.items() if value)]
    words += [f"--stage={name}={source}" for name, source in options.stages]
    words += [f"--template-var={name}={value}" for name, value in options.template_vars]
    words += [f"--trust-remote-code={each}" for each in options.trusted]
    return [*words, *(f"--offer={load_family(each).name}" for each in dict.fromkeys(options.offers))]


def _named(options: Options, family: Family) -> list[tuple[str, str]]:
    """The directions that the recipe names, each by its checkpoint and name."""
    own = family.directions_of(options.checkpoint or family.final.name)
    return [(source or own, name) for name, source in parse(options.recipe).directions()]


def _too_large(family: Family, hardware: Hardware) -> str:
    """That the family, by the memory that its file says it takes, will not run well there; empty where it will, or nobody said."""
    needed = parse_memory(family.memory)[""] / 1e9 if family.memory else 0.0
    if hardware.memory is not None and needed > hardware.memory:
        return f"{family.title} takes {family.memory} of memory, and {hardware.name} has {hardware.memory:g} GB; take larger --hardware."
    if not hardware.gpu and needed > _QUICK:
        return f"{family.title} is computed on the processor of {hardware.name}, and answers slowly; take --hardware with a GPU of its own."
    return ""


# ------------------------------------------------------------------------------------------------------- one of recorded runs


def _recorded(options: Options) -> SpaceContents:
    """A page of what the prompts are answered, of the family's own examples where none is named."""
    engine = Engine(options.family, **options.engine)
    settings = engine.settings(options.checkpoint)
    settings = replace(settings, columns=(settings.columns[0],), selected=0)
    prompts = options.prompts or tuple(dict.fromkeys(each.message for each in engine.family.examples))
    if not prompts:
        raise TillerError(
            f"{engine.family.title} has no examples of its own; name what it is asked: `{program()} space {options.name} --static "
            '"PROMPT"`.'
        )
    demos: list[Demo] = []
    engine.start()
    try:
        with TerminalProgress() as progress:
            for prompt in prompts:
                demos.append(finished(make_demo(engine, settings.ask(prompt)), progress.step))
    finally:
        engine.close()
    return files.still(f"Tiller · {engine.family.title}", demo_page(*demos))


def _listed(name: str, made: SpaceContents, hardware: Hardware, whole: bool) -> list[str]:
    """What will be uploaded: every file, or, if not the ``whole``, what each folder takes."""
    machine = f"on {hardware.name}, Python {hardware.python}" if made.sdk == "gradio" else "without a server"
    sizes: Counter[str] = Counter()
    for each in made.pieces:
        parts = each.path.split("/")
        sizes[
            each.path if whole or len(parts) == 1 else f"{'/'.join(parts[: 2 if parts[0] == 'vectors' else 1])}/"
        ] += each.size
    lines = [f"{size_in_words(size):>8}  {path}" for path, size in sizes.items()]
    return [f"{page_of(name)}, {machine}:", *lines, f"{size_in_words(made.size):>8}  in {len(made.pieces)} files"]
