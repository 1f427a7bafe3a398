"""What a person wishes to have learnt: by which name and method, and from which two boxes of examples, one a line. No torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.artefacts import store
from core.directions.contrast import SPLITS, ContrastError, ContrastItem, ContrastSet
from core.directions.contrast_files import SHARE
from core.directions.methods import METHODS
from core.errors import StoreError
from core.families.checkpoint import Family
from core.util.files import check_writable, text_items

#: A direction can be learnt from so many examples of each class: three to learn from, one to choose by, one to report on.
FEWEST = 5
#: What is learnt in a way of its own, from examples that ship; any other name is that of a person's own examples.
KINDS = ("truth", "refusal")
#: From so many of each class to learn from, nobody needs to be warned.
PLENTY = 30
#: What a name may be: a recipe can read it, and a file can be called so on every system.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(?:-[A-Za-z_][A-Za-z0-9_.]*)*")
_LONGEST_NAME = 60
#: Words that mean something else in a recipe.
_TAKEN = ("neurons",)
_SIDES = {True: "positive", False: "negative"}
_BOXES = ("The box of positive examples", "The box of negative examples")


@dataclass(frozen=True)
class LearnRequest:
    """A direction that somebody asks for. ``kind`` is truth, refusal, or any name where ``contrast`` brings the examples; ``name`` what
    recipes will call it; ``layer`` one to take instead of the best; ``replace`` whether one's own of that name may go."""

    kind: str
    name: str
    contrast: ContrastSet | None = None
    method: str = "mean_difference"
    layer: int | None = None
    replace: bool = False
    #: System prompts for (True) and against a trait, where it is learnt from replies under them.
    prompts: Mapping[bool, tuple[str, ...]] | None = None

    def check_free(self, family: Family, checkpoint: str) -> None:
        """Raise StoreError where a direction would be hidden that everybody has, or one's own replaced that may not; ContrastError as
        :meth:`check_follows` does."""
        self.check_follows(family)
        check_free(family, checkpoint, self.name, self.replace, self.contrast.digest if self.contrast else "")
        check_writable(store.artefact_path(family.root, family.name, checkpoint, "direction", self.name))

    def check_follows(self, family: Family) -> None:
        """Raise ContrastError where replies under system prompts are asked of models that are known not to follow those, before anybody has
        waited."""
        if self.prompts is not None and self.contrast is None:
            check_system_prompts(family)


def check_system_prompts(family: Family) -> None:
    """Raise ContrastError where models are known not to follow system prompts, under which concepts and words are learnt."""
    if not family.system_prompts:
        raise ContrastError(
            f"{family.title} does not follow system prompts, so that a concept or a word teaches it nothing. Give examples of your own, or "
            "open a larger model, such as SmolLM2."
        )


def check_free(family: Family, checkpoint: str, name: str, replace: bool = False, digest: str = "") -> None:
    """Whether a new direction of one's own may have a name; the one rule for whoever makes one, by learning or by import.

    A name that differs from another one by capitals alone is the same file on some systems. One that was interrupted while it was learnt
    from the same examples (their ``digest``) is gone on with.

    Raises:
        StoreError: everybody has a direction of that name, which nobody's own may hide; or it is one's own, and may not be replaced.
    """
    own = store.artefact_path(family.root, family.name, checkpoint, "direction", name).parent.resolve()
    for place in family.places:
        folder = place.resolve() / checkpoint / "artefacts"
        there = next((each for each in _names(folder) if each.casefold() == name.casefold()), None)
        if there is None or (folder == own and there == name and (replace or _begun(folder, name, digest))):
            continue
        if folder == own:
            raise StoreError(
                f"{checkpoint} has a direction {there!r} of your own already; give this one another name, or delete that one first."
            )
        raise StoreError(
            f"{checkpoint} has a direction {there!r} that everybody uses, and nothing may hide it; give this one another name."
        )


def _begun(folder: Path, name: str, digest: str) -> bool:
    """Whether that direction is half learnt from these examples."""
    try:
        details = store.read_card(folder / f"direction.{name}.safetensors").details
    except StoreError:
        return False
    contrast = details.get("contrast")
    return bool(
        details.get("unfinished") and digest and isinstance(contrast, dict) and contrast.get("digest") == digest
    )


def _names(folder: Path) -> list[str]:
    return [
        each.name.removeprefix("direction.").removesuffix(".safetensors")
        for each in folder.glob("direction.*.safetensors")
    ]


def learn_request(
    kind: str,
    positive: str = "",
    negative: str = "",
    name: str = "",
    method: str = "mean_difference",
    layer: int | None = None,
    replace: bool = False,
    called: tuple[str, str] = _BOXES,
    replies: bool = False,
) -> LearnRequest:
    """A wish out of what stands in a form: two boxes, or none for what brings its own examples.

    With ``replies`` the boxes hold system prompts, one a line, and the examples are what is said under them.

    Raises:
        ContrastError: a name, a method or examples that cannot be used.
    """
    kind = check_direction_name(kind)
    name = check_direction_name(name) if name.strip() else kind
    if method not in METHODS:
        raise ContrastError(f"There is no method {method!r}; there are {', '.join(METHODS)}.")
    if layer is not None and layer < 0:
        raise ContrastError(f"There is no layer {layer}; the first is layer 0.")
    if replies:
        return LearnRequest(kind, name, None, method, layer, replace, _system_prompts(positive, negative, called))
    brought = kind in KINDS and called is _BOXES and not positive.strip() and not negative.strip()
    contrast = None if brought else of_texts(kind, positive, negative, called)
    return LearnRequest(kind, name, contrast, method, layer, replace)


def parse_layer(text: str) -> int | None:
    """A layer as it stands in a form, None where nothing does. Raises ContrastError."""
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,4}", text.strip()):
        raise ContrastError(
            f"The layer is a whole number from 0 on, or nothing for the best one, not {text.strip()[:40]!r}."
        )
    return int(text)


def check_direction_name(name: str) -> str:
    """The name of a direction, without spaces around it. Raises ContrastError for one that a recipe could not name."""
    name = name.strip()
    if not name:
        raise ContrastError("The direction needs a name, such as politeness; recipes call it by that.")
    if len(name) > _LONGEST_NAME:
        raise ContrastError(
            f"The name {name[:20]!r}… has {len(name)} characters; take one of {_LONGEST_NAME} or fewer, such as politeness."
        )
    if not _NAME.fullmatch(name) or name.endswith(".") or name.lower() in _TAKEN:
        raise ContrastError(
            f"{name[:80]!r} cannot be the name of a direction; take a word of letters, digits and _, such as politeness, which recipes "
            "can name."
        )
    return name


def of_texts(name: str, positive: str, negative: str, called: tuple[str, str] = _BOXES) -> ContrastSet:
    """The contrast ``name`` from two texts, one example a line, empty lines left out; split always in the same way.

    Boxes of as many lines are taken for pairs, line by line: both of a pair go to the same split.

    Args:
        called: what sentences call the two.

    Raises:
        ContrastError: an empty box, too few examples, or a text that stands in both.
    """
    boxes = {True: _examples(positive), False: _examples(negative)}
    for label, texts in boxes.items():
        if not texts:
            raise ContrastError(
                f"{called[not label]} is empty; write at least {FEWEST} {_SIDES[label]} examples, one a line."
            )
    both = [text for text in boxes[True] if text in set(boxes[False])]
    if both and set(boxes[True]) == set(boxes[False]):
        raise ContrastError(
            "Both sides hold the same examples, so that there is nothing to tell apart; change one of them."
        )
    if both:
        raise ContrastError(f"{both[0][:60]!r} stands on both sides; leave it out of one of them.")
    for label, texts in boxes.items():
        if len(texts) < FEWEST:
            raise ContrastError(
                f"{called[not label]} has {len(texts)} example{'s' * (len(texts) != 1)}; each side needs at least {FEWEST}, one a line."
            )
    digest = hashlib.sha256(json.dumps([boxes[True], boxes[False]]).encode()).hexdigest()[:16]
    pairs = len(boxes[True]) == len(boxes[False])
    split = hashed_splits(boxes[True])
    items = [
        ContrastItem(
            text,
            label,
            "",
            (split if pairs else hashed_splits(texts))[index],
            group=f"pair {index + 1}" if pairs else "",
        )
        for label, texts in boxes.items()
        for index, text in enumerate(texts)
    ]
    return ContrastSet(name, tuple(items), digest, "pairs, by hash" if pairs else "by hash")


def _system_prompts(positive: str, negative: str, called: tuple[str, str]) -> dict[bool, tuple[str, ...]]:
    found = {True: tuple(_examples(positive)), False: tuple(_examples(negative))}
    for label, texts in found.items():
        if not texts:
            raise ContrastError(
                f"{called[not label]} is empty; write a system prompt {'for' if label else 'against'} the trait."
            )
    if set(found[True]) & set(found[False]):
        raise ContrastError("The same system prompt stands on both sides; change one of them.")
    return found


def _examples(text: str) -> list[str]:
    """Every example once, in the order of the box."""
    return list(dict.fromkeys(text_items(text)))


def hashed_splits(texts: Sequence[str]) -> list[str]:
    """For each text its split: in the order of their hashes, a fifth each to validate and to test, at least one."""
    order = sorted(range(len(texts)), key=lambda index: hashlib.sha256(texts[index].encode()).hexdigest())
    found = ["train"] * len(texts)
    rest = order
    for split in SPLITS[1:]:
        count = max(1, round(len(texts) * SHARE[split]))
        rest, held = rest[:-count], rest[-count:]
        for index in held:
            found[index] = split
    return found
