"""The recipe language: canonical text, sliders, and errors that point at the column and name the fix."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import TillerError
from core.recipes.language import MAX_STRENGTH, SCOPES, Gate, Recipe, StrengthError, Term, layers_text, parse
from core.recipes.scanner import RecipeError

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.]{0,5}([-/][A-Za-z_][A-Za-z0-9_.]{0,3}){0,2}", fullmatch=True)
SOURCES = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.]{0,5}([-/][A-Za-z0-9_]{1,3}){0,2}", fullmatch=True)
LAYERS = st.none() | st.sets(st.integers(0, 999), min_size=1, max_size=6).map(lambda found: tuple(sorted(found)))
STRENGTHS = st.floats(-MAX_STRENGTH, MAX_STRENGTH)


@st.composite
def terms(draw: st.DrawFn) -> Term:
    kind = draw(st.sampled_from(["add", "ablate", "hold", "neurons"]))
    value = draw(STRENGTHS) if kind in ("add", "hold") else 1.0
    gate = draw(st.none() | st.builds(Gate, NAMES, st.booleans(), st.floats(-1e6, 1e6), SOURCES))
    return Term(kind, draw(NAMES), value, draw(SOURCES), draw(LAYERS), draw(st.sampled_from(SCOPES)), gate)


PIECES = '1.5e-+*!=@[]:?<>, truthx09é\n"²'
RECIPES = st.lists(terms(), max_size=5).map(lambda found: Recipe(tuple(found)))


@settings(max_examples=60)
@given(RECIPES)
def test_a_recipe_reads_back_from_its_own_text(recipe: Recipe) -> None:
    assert parse(str(recipe)) == recipe
    assert str(parse(str(recipe))) == str(recipe)


@settings(max_examples=40)
@given(RECIPES, NAMES, STRENGTHS, SOURCES)
def test_a_slider_sets_one_term_and_leaves_the_others(
    recipe: Recipe, name: str, value: float, source: str | None
) -> None:
    moved = recipe.with_strength(name, value, source)
    shown = recipe.slider(name)
    assert [t for t in moved.terms if t is not moved.slider(name)] == [
        t for t in recipe.terms if t is not shown
    ] or value == 0
    if value:
        assert moved.strength(name) == value
        assert moved.slider(name).source == source
        if shown:
            kept, old = moved.slider(name), shown
            assert (kept.layers, kept.scope, kept.gate) == (old.layers, old.scope, old.gate)
            assert len(moved.terms) == len(recipe.terms)
    else:
        assert len(moved.terms) == len(recipe.terms) - (shown is not None)


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*PIECES, "neurons:"]), max_size=24).map("".join) | st.text(max_size=12))
def test_any_text_is_read_or_refused_at_a_column_of_it(text: str) -> None:
    try:
        recipe = parse(text)
    except RecipeError as error:
        assert 1 <= error.column <= len(text) + 1
        assert str(error).startswith(f"Character {error.column}: ")
        assert str(error).endswith(".")
        assert isinstance(error, TillerError)
    else:
        assert parse(str(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("  ", ""),
        ("refusal", "1*refusal"),
        ("-truth", "-1*truth"),
        ("1.50 * refusal", "1.5*refusal"),
        ("1*a+-2*b", "1*a - 2*b"),
        ("1*a +  - 2*b", "1*a - 2*b"),
        ("1*a - 2*b", "1*a - 2*b"),
        ("-0.5*truth[8,5-7,6]:reply", "-0.5*truth[5-8]:reply"),
        ("!refusal@sft + !truth[0]:last", "!refusal@sft + !truth[0]:last"),
        ("refusal = -0.25", "refusal=-0.25"),
        ("1.5*refusal@base - 0.5*truth + !refusal@sft", "1.5*refusal@base - 0.5*truth + !refusal@sft"),
        ("1e0*a:all", "1*a"),
        (".5*a", "0.5*a"),
        ("2*truth ? refusal > .5", "2*truth?refusal>0.5"),
        ("-truth[4]:reply?refusal@base<-1 + !a?b>0", "-1*truth[4]:reply?refusal@base<-1 + !a?b>0"),
        ("refusal=0?truth<1e-1", "refusal=0?truth<0.1"),
        ("! neurons:entropy@base[5]:reply", "!neurons:entropy@base[5]:reply"),
        ("1*a - 2*b?a>0 + !neurons:entropy?a<1", "1*a - 2*b?a>0 + !neurons:entropy?a<1"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "column", "fix"),
    [
        ("1.5 refusal", 5, "1.5*refusal"),
        ("1.5*", 5, "name of a direction"),
        ("1.5*refusal truth", 13, "put + or -"),
        ("1.5*refusal +", 14, "name of a direction"),
        ("1.5*refusal*2", 12, "put + or -"),
        ("-!refusal", 2, "no sign"),
        ("1*a - !b", 7, "no sign"),
        ("1*a=0", 4, "not both"),
        ("a=", 3, "a number belongs after ="),
        ("a=x", 3, "a number belongs after ="),
        ("-a=0", 2, "no sign"),
        ("1*a@", 5, "refusal@base"),
        ("1*a@[3]", 5, "refusal@base"),
        ("1*a[", 5, "counted from 0"),
        ("1*a[x]", 5, "counted from 0"),
        ("1*a[3", 6, "]"),
        ("1*a[5-3]", 7, "[3-5]"),
        ("1*a[12345]", 5, "counted from 0"),
        ("1*a:replies", 5, "all, prompt, reply, last"),
        ("1*a:", 5, "all, prompt, reply, last"),
        ("11*a", 1, "-10 and 10"),
        ("1*b + 1e9*a", 7, "-10 and 10"),
        ("a=1e400", 3, "-10 and 10"),
        ("1*a ☃", 5, "put + or -"),
        ("?", 1, "name of a direction"),
        ("1*a?", 5, "name of a direction"),
        ("1*a?b", 6, "a > or <"),
        ("1*a?b=1", 6, "a > or <"),
        ("1*a?b>", 7, "reading belongs here"),
        ("1*a?b>x", 7, "reading belongs here"),
        ("1*a?b>1e999", 7, "too large"),
        ("1*a?b>0?c>1", 8, "put + or -"),
        ("1*a?b@>1", 7, "refusal@base"),
        ("1*neurons", 3, "write !neurons:entropy"),
        ("neurons:entropy", 1, "write !neurons:entropy"),
        ("!neurons", 9, "!neurons:entropy"),
        ("!neurons:", 10, "name of a set of neurons"),
        ("!neurons:a=1", 11, "put + or -"),
        ("1*a?neurons>1", 5, "write !neurons:entropy"),
        ("!a[0-1000]", 6, "no model has a layer 1000"),
        ("+".join(["a"] * 65), 128, "a recipe has at most 64 terms"),
        ("+".join(["1*truth[0-9999]"] * 3000), 2001, "a recipe has at most 2,000 characters"),
        # A strength of 1 that is not written is written out in every link.
        (
            "+".join(["x" * 30] * 64),
            1984,
            "written in full, a recipe has at most 2,000 characters; leave some terms out",
        ),
    ],
)
def test_every_error_points_at_its_column_and_names_the_fix(text: str, column: int, fix: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse(text)
    assert caught.value.column == column
    assert fix in str(caught.value)


@pytest.mark.parametrize("value", [MAX_STRENGTH + 0.001, -1e9, math.inf, math.nan])
def test_a_strength_beyond_the_range_says_the_range(value: float) -> None:
    with pytest.raises(
        StrengthError,
        match=r"between -10 and 10 gaps; .* \(1 gap is as far as the two class means lie apart; beyond 2 most",
    ):
        Recipe().with_strength("refusal", value)
    assert issubclass(StrengthError, TillerError)


def test_what_is_typed_beyond_the_range_says_its_unit() -> None:
    with pytest.raises(
        RecipeError, match=r"Character 1: a strength lies .*; 40 does not \(1 gap .* again with a larger --scale\)\.$"
    ):
        parse("40*refusal")
    with pytest.raises(
        RecipeError, match=r"Character 9: a value to hold lies .*; 40 does not \(0 is the negative class mean, 1 the"
    ):
        parse("refusal=40")


def test_the_limits_themselves_are_allowed() -> None:
    assert parse("10*a - 10*b").strength("b") == -MAX_STRENGTH


def test_a_slider_keeps_its_place_among_the_terms() -> None:
    recipe = parse("!truth + 1*refusal[4]:reply - 0.5*truth")
    assert str(recipe.with_strength("refusal", 2, "base")) == "!truth + 2*refusal@base[4]:reply - 0.5*truth"
    assert str(recipe.with_strength("refusal", 0)) == "!truth - 0.5*truth"
    assert str(recipe.with_strength("mood", -1)) == "!truth + 1*refusal[4]:reply - 0.5*truth - 1*mood"
    assert recipe.with_strength("mood", 0) is recipe


def test_directions_each_once_with_their_sources() -> None:
    recipe = parse("a + a@base - 2*a + !b + !neurons:n?c@sft>1")
    assert recipe.directions() == (("a", None), ("a", "base"), ("b", None), ("c", "sft"))
    assert recipe.gates() == (Gate("c", True, 1.0, "sft"),)


def test_layers_text() -> None:
    assert layers_text((2, 4, 5, 6, 9, 10)) == "2,4-6,9-10"
