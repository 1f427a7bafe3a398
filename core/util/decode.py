"""JSON or TOML that anybody may have written becomes dataclasses: every part is checked, and a wrong one is named with its place.

The annotations of the fields say how a value is read: ``int``, ``float``, ``bool``, a ``Literal`` of texts, ``X | None``,
``str | bool | int`` (whichever it is), ``tuple[X, ...]``, ``tuple[X, Y]``, ``Mapping[str, X]``, ``Annotated[int, range(...)]``, another
dataclass, or a type that is written as text and that the decoder has a parser for. No torch, and nothing but Python itself: what reads
links starts fast.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from core.errors import TillerError

_T = TypeVar("_T")
_Read = Callable[[Any], Any]


class DecodeError(TillerError):
    """A part of a document that cannot be read: what is the matter, and where; of nested places the innermost comes first."""

    def __init__(self, fault: str, *places: str | int) -> None:
        where = [f"item {place + 1}" if isinstance(place, int) else repr(place) for place in places]
        super().__init__(f"{' of '.join(where) or 'the document'} {fault}")
        self.fault, self.places = fault, places


class Decoder:
    """``texts`` reads the types that are written as text, ``str`` among them; ``strict`` refuses keys that a dataclass does not have."""

    def __init__(self, texts: Mapping[type, Callable[[str], object]], strict: bool = False) -> None:
        self._strict = strict
        self._readers: dict[Any, _Read] = {kind: partial(_text, parse) for kind, parse in texts.items()}

    def decode(self, kind: type[_T], document: object) -> _T:
        """A value of a kind. Raises DecodeError, or what the dataclasses themselves raise."""
        found: _T = self._reader(kind)(document)
        return found

    def _reader(self, kind: Any) -> _Read:
        if kind not in self._readers:
            self._readers[kind] = self._made(kind)
        return self._readers[kind]

    def _made(self, kind: Any) -> _Read:
        if kind in _PLAIN:
            return _PLAIN[kind]
        if is_dataclass(kind):
            return self._dataclass(kind)
        origin, inner = get_origin(kind), get_args(kind)
        if origin is Literal:
            return lambda value: _checked(value in inner, value, f"one of {', '.join(inner)}")
        if origin is tuple:
            return partial(_tuple, [self._reader(each) for each in inner if each is not ...], many=inner[-1] is ...)
        if origin is Mapping:
            return partial(_mapping, *map(self._reader, inner))
        if origin in (Union, UnionType) and type(None) not in inner:
            return partial(_any, {each: self._reader(each) for each in inner})
        read = self._reader(inner[0])
        if origin is Annotated:
            return partial(_within, read, inner[1])
        assert origin in (Union, UnionType), f"a field of the kind {kind} cannot be read"
        return lambda value: None if value is None else read(value)

    def _dataclass(self, kind: Any) -> _Read:
        hints = get_type_hints(kind, include_extras=True)
        readers = {each.name: self._reader(hints[each.name]) for each in fields(kind)}
        needed = {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING}

        def read(value: Any) -> Any:
            _checked(isinstance(value, Mapping), value, "an object with named parts")
            if lacking := sorted(needed.difference(value)):
                raise DecodeError(f"has no {lacking[0]}.")
            if self._strict and (unknown := [key for key in value if key not in readers]):
                raise DecodeError(_unknown(unknown[0], readers))
            there = [name for name in readers if name in value]
            return kind(**dict(zip(there, _parts((name, readers[name], value[name]) for name in there), strict=True)))

        return read


def _text(parse: Callable[[str], object], value: Any) -> object:
    _checked(isinstance(value, str), value, "text in quotes")
    try:
        return parse(value)
    except TillerError as error:
        raise DecodeError(f"cannot be read. {error}") from error


def _within(read: _Read, numbers: range, value: Any) -> Any:
    found = read(value)
    return _checked(found in numbers, found, f"from {numbers[0]} to {numbers[-1]}")


def _any(readers: Mapping[type, _Read], value: Any) -> Any:
    """A value of one of some plain kinds, by the kind that it has."""
    _checked(type(value) in readers, value, "text, a number, true or false")
    return readers[type(value)](value)


def _tuple(readers: list[_Read], value: Any, many: bool) -> tuple[Any, ...]:
    _checked(isinstance(value, list), value, "a list")
    _checked(many or len(value) == len(readers), value, f"a list of {len(readers)}")
    every = readers * len(value) if many else readers
    return tuple(_parts(zip(range(len(value)), every, value, strict=True)))


def _mapping(key: _Read, read: _Read, value: Any) -> dict[Any, Any]:
    _checked(isinstance(value, Mapping), value, "an object with named parts")
    found = _parts((name, read, part) for name, part in value.items())
    return dict(zip(map(key, value), found, strict=True))


def _parts(parts: Iterable[tuple[str | int, _Read, Any]]) -> list[Any]:
    """Each part of a value, by what reads it; what is wrong with one is said with its place."""
    found: list[Any] = []
    for place, read, value in parts:
        try:
            found.append(read(value))
        except DecodeError as error:
            raise DecodeError(error.fault, *error.places, place) from error
    return found


def _number(value: Any) -> float:
    # NaN is not equal to itself and lies between no two numbers.
    good = isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300
    return float(_checked(good, value, "a number"))


def _whole(value: Any) -> int:
    good = isinstance(value, int | float) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return int(_checked(good and value == int(value), value, "a whole number"))


#: How a value is read that is no text and has no parts.
_PLAIN: Mapping[type, _Read] = {
    bool: lambda value: _checked(isinstance(value, bool), value, "true or false"),
    int: _whole,
    float: _number,
}


def _checked(good: bool, value: Any, wanted: str) -> Any:
    """The value, if it is as it is wanted."""
    if not good:
        shown = f", not {value!r}" if isinstance(value, str | int | float) and len(str(value)) < 60 else ""
        raise DecodeError(f"must be {wanted}{shown}.")
    return value


def _unknown(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1)
    fix = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}."
    return f"has the unknown key {key!r}; {fix}"
