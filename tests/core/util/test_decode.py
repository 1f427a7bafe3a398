"""Documents that anybody may have written: what fits is read by the annotations, what does not is named with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from core.errors import TillerError
from core.util.decode import DecodeError, Decoder


@dataclass(frozen=True)
class Colour:
    name: str

    @classmethod
    def read(cls, text: str) -> Colour:
        if text.startswith("#"):
            raise TillerError("Name the colour.")
        return cls(text)


@dataclass(frozen=True)
class Leaf:
    size: float
    at: Annotated[int, range(10)] = 0
    colour: Colour | None = None


@dataclass(frozen=True)
class Tree:
    name: str
    leaves: tuple[Leaf, ...] = ()
    kind: Literal["oak", "elm"] | None = None
    green: bool = True
    joins: tuple[tuple[int, str], ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)


TEXTS = {str: str.strip, Colour: Colour.read}
WHOLE = {
    "name": " a ",
    "leaves": [{"size": 1, "at": 9.0, "colour": "red"}, {"size": 0.5, "colour": None}],
    "kind": "elm",
    "green": False,
    "joins": [[3, "b "]],
    "weights": {" k ": 2},
}


def test_a_document_is_read_by_the_annotations() -> None:
    tree = Decoder(TEXTS).decode(Tree, WHOLE)
    leaves = (Leaf(1.0, 9, Colour("red")), Leaf(0.5))
    assert tree == Tree("a", leaves, "elm", False, ((3, "b"),), {"k": 2.0})
    assert isinstance(tree.leaves[0].size, float)
    assert isinstance(tree.leaves[0].at, int)
    assert Decoder(TEXTS).decode(Tree, {"name": "a", "more": 1}) == Tree("a")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": 7}, "'name' must be text in quotes, not 7."),
        ({"name": None}, "'name' must be text in quotes."),
        ({"leaves": {}}, "'leaves' must be a list."),
        ({"leaves": [3]}, "item 1 of 'leaves' must be an object with named parts, not 3."),
        ({"leaves": [{}]}, "item 1 of 'leaves' has no size."),
        ({"leaves": [{"size": 1}, {"size": True}]}, "'size' of item 2 of 'leaves' must be a number, not True."),
        ({"leaves": [{"size": float("nan")}]}, "'size' of item 1 of 'leaves' must be a number, not nan."),
        ({"leaves": [{"size": 10**400}]}, "'size' of item 1 of 'leaves' must be a number."),
        ({"leaves": [{"size": 1, "at": 10}]}, "'at' of item 1 of 'leaves' must be from 0 to 9, not 10."),
        ({"leaves": [{"size": 1, "at": 1.5}]}, "'at' of item 1 of 'leaves' must be a whole number, not 1.5."),
        (
            {"leaves": [{"size": 1, "colour": "#f00"}]},
            "'colour' of item 1 of 'leaves' cannot be read. Name the colour.",
        ),
        ({"kind": "ash"}, "'kind' must be one of oak, elm, not 'ash'."),
        ({"kind": ["oak"]}, "'kind' must be one of oak, elm."),
        ({"green": 1}, "'green' must be true or false, not 1."),
        ({"joins": [[1]]}, "item 1 of 'joins' must be a list of 2."),
        ({"joins": [["1", "b"]]}, "item 1 of item 1 of 'joins' must be a whole number, not '1'."),
        ({"weights": {"a": "b"}}, "'a' of 'weights' must be a number, not 'b'."),
        ({"weights": 3}, "'weights' must be an object with named parts, not 3."),
    ],
)
def test_a_wrong_part_is_named_with_its_place(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Decoder(TEXTS).decode(Tree, {**WHOLE, **change})
    assert str(caught.value) == sentence


def test_a_document_that_is_none_and_one_that_lacks_something() -> None:
    with pytest.raises(DecodeError, match=r"^the document must be an object with named parts\.$"):
        Decoder(TEXTS).decode(Tree, [])
    with pytest.raises(DecodeError, match=r"^the document has no name\.$"):
        Decoder(TEXTS).decode(Tree, {})


@pytest.mark.parametrize(
    ("key", "fix"), [("sise", "did you mean size?"), ("wind", "known are at, colour, size."), ("x" * 99, "known are")]
)
def test_keys_that_are_unknown_are_refused_where_it_is_wanted(key: str, fix: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Decoder(TEXTS, strict=True).decode(Tree, {"name": "a", "leaves": [{"size": 1, key: 1}]})
    assert str(caught.value).startswith(f"item 1 of 'leaves' has the unknown key {key!r}; {fix}")
