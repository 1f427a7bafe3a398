"""A direction's card in words and curves, for whoever draws it: where it acts and why, what each strength does, what chance does. No torch.

A card that was made by an earlier version, or elsewhere, lacks parts; what it lacks is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.artefacts.store import Card
from core.directions import dose_response as dose
from core.directions import effort, request
from core.directions.card_figures import curve_table, dose_table, layer_scores, learns, words_of
from core.inference.reply_classes import CLASSES
from core.stats.rates import rank_p
from core.util.figures import p_text, strength_text

#: Controls by their kind, as a sentence counts them and as a table heads them.
_CONTROLS = {
    "shuffled": "directions from shuffled labels",
    "spread": "directions at random where states differ",
    "isotropic": "directions at random",
}
_CALLED = {"shuffled": "shuffled labels", "spread": "where states differ", "isotropic": "any direction"}
#: Where the part of replies that refuse and P(refusal) differ by more than this, one of them does not see what there is.
_APART = 0.3


@dataclass(frozen=True)
class Section:
    """A part of a card: its title and its lines, in plain text; those of a ``table`` stand under each other."""

    title: str
    lines: tuple[str, ...]
    table: bool = False


def heading(card: Card) -> str:
    """What it is, in one line."""
    return f"{card.name} of {card.family} {card.checkpoint}"


def card_text(card: Card) -> str:
    """The whole card for a terminal."""
    parts = [
        f"{each.title}\n" + "\n".join(line if each.table else f"  {line}" for line in each.lines)
        for each in sections(card)
    ]
    return "\n\n".join([heading(card), *parts])


def sections(card: Card) -> tuple[Section, ...]:
    """What the card says, part by part, those that it lacks left out."""
    found = (
        Section("What to mind", tuple(cautions(card))),
        Section("How it was made", tuple(_made(card))),
        Section("Where it acts, and why", tuple(_where(card))),
        Section("Layer scores (* the chosen layer)", tuple(curve_table(layer_scores(card))), table=True),
        Section("What each strength does (validation split)", tuple(curve_table(dose_table(card))), table=True),
        Section(
            "Which strengths are of use",
            (known.range_said(),) if (known := dose.stored_dose_response(card.details)) else (),
        ),
        Section("Replies at each strength", tuple(_replies(card)), table=True),
        Section("On the test split", tuple(_tested(card))),
        Section("At strength 1, beside it", tuple(_beside(card))),
        Section("Three answers", tuple(_samples(card))),
    )
    return tuple(each for each in found if each.lines)


def cautions(card: Card) -> list[str]:
    """What somebody should know before relying on it, each a sentence; empty where there is nothing."""
    details, found = card.details, []
    count = details.get("learnt_from")
    if count and min(count.values()) < request.PLENTY:
        found.append(
            f"Learnt from only {count['positive']} positive and {count['negative']} negative examples{_unsteady(card)}; "
            f"with {request.PLENTY} of each it would be steadier."
        )
    best = details.get("best_of_many")
    if best and best["p"] > effort.CHANCE:
        found.append(
            f"Shuffled labels reach its accuracy at the best of {best['places']} places with {p_text(best['p'])}: it may be chance; "
            "bring more examples."
        )
    found += _refused_otherwise(details)
    found += [
        f"Of {count} {_CONTROLS[kind]}, as long as this one, {stronger} move the effect as far at strength 1 (rank {p_text(p)}): what it "
        "does may be what any push does."
        for kind, stronger, count, p in control_ranks(details)
        if p > effort.CHANCE
    ]
    paid = (details.get("controls") or {}).get("paid") or {}
    if max(paid.values(), default=0.0) > effort.CHANCE:
        kind = max(paid, key=lambda each: paid[each])
        found.append(
            f"At the best of the {len(details.get('all_scores', ()))} places that were tried, one of the {_CONTROLS[kind]} would move the "
            f"effect as far with {p_text(paid[kind])}: the choice of the place may be what did it."
        )
    return found


def control_ranks(details: Mapping[str, Any]) -> list[tuple[str, int, int, float]]:
    """For each kind of control how many move the effect at least as far as the direction does, how many there are, and the rank p.

    Each control counts once, however many examples it was tried on; on the test split, where nothing was chosen. Cards of earlier versions
    have them on the validation split.
    """
    controls, levels = details.get("controls"), _levels(details)
    if not controls or not {0.0, 1.0} <= set(levels):
        return []
    plain, own = levels[0.0]["effect"], levels[1.0]["effect"]
    moved = {kind: [abs(each - plain) for each in controls[kind]["effect"]] for kind in _CONTROLS if kind in controls}
    return [
        (kind, sum(each >= abs(own - plain) for each in far), len(far), rank_p(abs(own - plain), far))
        for kind, far in moved.items()
    ]


def _levels(details: Mapping[str, Any]) -> dict[float, dict[str, float]]:
    """What strengths 0 and 1 do on the split that the controls were tried on, by strength."""
    controls, tested = details.get("controls") or {}, details.get("tested")
    if controls.get("split") == "test" and tested:
        return {
            float(strength): {key: figures[place]["mean"] for key, figures in _figures(tested).items()}
            for place, strength in enumerate(tested["strengths"])
        }
    response = details.get("dose_response")
    return {strength: row for strength in (0.0, 1.0) if response and (row := _at(response, strength))}


def _figures(tested: Mapping[str, Any]) -> dict[str, Any]:
    return {key: figures for key, figures in tested.items() if key not in ("strengths", "change")}


def _refused_otherwise(details: Mapping[str, Any]) -> list[str]:
    """Where P(refusal), which looks at how a reply begins, and the replies themselves say different things of unsteered harmful prompts."""
    replies: Mapping[str, Any] = details.get("replies") or {}
    response = details.get("dose_response")
    group = replies.get("groups", {}).get("harmful")
    plain = _at(response, 0.0).get("harmful") if response else None
    if not group or plain is None or 0.0 not in replies["strengths"]:
        return []
    refuses = group["refuses"][list(replies["strengths"]).index(0.0)]
    if abs(refuses / group["n"] - plain) <= _APART:
        return []
    return [
        f"Of {group['n']} harmful prompts {refuses} are refused by their replies, while P(refusal) is {plain:.2f}: it looks at nothing "
        "but how replies begin; go by the replies."
    ]


def _replies(card: Card) -> list[str]:
    """How many replies are of each class at every strength, a table for each group of prompts."""
    replies = card.details.get("replies")
    if not replies:
        return []
    lines: list[str] = []
    for name, group in replies["groups"].items():
        kinds = [kind for kind in CLASSES if kind in group]
        lines += [f"  to {group['n']} {name} prompts", f"{'strength':>9}  {'  '.join(kinds)}"]
        for index, strength in enumerate(replies["strengths"]):
            row = "  ".join(f"{group[kind][index]:>{len(kind)}}" for kind in kinds)
            lines.append(f"{strength_text(strength):>9}  {row}")
    return lines


# ---------------------------------------------------------------------------------------------------------------- parts


def _at(response: Mapping[str, Sequence[float]], strength: float) -> dict[str, float]:
    """The row of a dose-response, empty where that strength was not measured."""
    if strength not in response["strengths"]:
        return {}
    index = list(response["strengths"]).index(strength)
    return {key: values[index] for key, values in response.items() if key != "strengths"}


def _unsteady(card: Card) -> str:
    steadiness = card.details.get("steadiness")
    if not steadiness:
        return ""
    low, high = steadiness["interval"]
    return f" (learnt again from resampled ones: cosine with itself {steadiness['cosine']:.2f}, 95 % {low:.2f} to {high:.2f})"


def _left_out(card: Card) -> str:
    """How many examples were not learnt from, and why; nothing where all were."""
    count, contrast = card.details["learnt_from"], card.details.get("contrast") or {}
    left = contrast.get("n", 0) - count["positive"] - count["negative"]
    if left <= 0 or card.details.get("effort") == effort.QUICK.name:
        return ""
    why = ", which the model does not refuse or follow as their kind" if learns(card) == "refusal" else ""
    return f"; {left} more {'was' if left == 1 else 'were'} left out{why}"


def _made(card: Card) -> list[str]:
    details = card.details
    said = [extent] if (extent := effort.extent(details)) else []
    if method := details.get("method"):
        contrast = details.get("contrast") or {}
        split = f", split {contrast['split']}" if contrast.get("split") else ""
        source = (
            f" from the contrast {contrast['name']} ({contrast.get('n', '?')} to learn from{split})" if contrast else ""
        )
        said.append(f"{method}{source}")
    count = details.get("learnt_from")
    if count:
        said.append(
            f"learnt from {count['positive']} positive and {count['negative']} negative examples{_unsteady(card)}{_left_out(card)}"
        )
    if origin := details.get("imported"):
        times = "" if origin.get("scale") == 1 else f", times {origin.get('scale')}"
        said.append(f"imported from {origin.get('file')}, {origin.get('kind')}{times}, on {origin.get('date')}")
    if unit := details.get("unit"):
        said.append(f"strength: {unit}")
    if told := details.get("template_vars"):
        said.append(
            f"its chat template was told {', '.join(f'{key}={json.dumps(value)}' for key, value in told.items())}"
        )
    quantize = details.get("quantize", "none")
    said.append(
        f"fingerprint {str(details.get('fingerprint', 'unknown'))[:16]}{'' if quantize == 'none' else f', read in {quantize}'}"
        + (f" · {details['program']}, {details['date']}" if {"program", "date"} <= set(details) else "")
    )
    return said


def _unmeasured(details: Mapping[str, Any]) -> bool:
    """Whether a person or a file has said where it acts."""
    return details.get("method") == "imported" or "by hand" in details.get("criterion", "")


def _where(card: Card) -> list[str]:
    details = card.details
    layers = int(details.get("layers", 0))
    said = [f"layer {card.layer}" + (f" of 0 to {layers - 1}" if layers else "")]
    if position := details.get("position"):
        said[0] += (
            f", read at token {position['offset']} of the prompt ({position['token']!r})"
            if position.get("of") == "prompt"
            else ", read over all tokens of a reply"
            if position.get("of") == "reply"
            else ", read at the last token of the statement"
        )
    if words := details.get("template_words"):
        said.append(f"read behind what the template itself says first: {words!r}")
    if thought := details.get("behind_thought"):
        said.append(f"measured behind the thought that comes before every answer: {thought!r}")
    if criterion := details.get("criterion"):
        said.append(criterion if _unmeasured(details) else f"because of the {criterion}")
    if held := details.get("held_out"):
        low, high = held["interval"]
        said.append(
            f"accuracy on the test split {held['accuracy']:.2f} ({low:.2f} to {high:.2f}, 95 %, n = {held['n']})"
        )
    if best := details.get("best_of_many"):
        said.append(
            f"best accuracy of {best['places']} layers and tokens: {best['observed']:.2f}, p = {best['p']:.2g} by shuffled labels"
        )
    if (cosine := details.get("label_cosine")) is not None:
        said.append(f"cosine with the words TRUE − FALSE in the unembedding {cosine:.2f}")
    return said


def _tested(card: Card) -> list[str]:
    tested = card.details.get("tested")
    if not tested:
        return []
    words = words_of(card)
    return [
        f"{words.get(key, key)} at strength {strength_text(strength)}: {_between(figure)}"
        for key, figures in _figures(tested).items()
        for strength, figure in zip(tested["strengths"], figures, strict=True)
    ] + [
        f"{words.get(key, key)}, moved by strength {strength_text(strength)}: {_between(figure)}"
        for key, figures in tested.get("change", {}).items()
        for strength, figure in zip(tested["strengths"], figures, strict=True)
        if strength
    ]


def _between(figure: Mapping[str, Any]) -> str:
    low, high = figure["interval"]
    return f"{figure['mean']:.3f} ({low:.3f} to {high:.3f}, 95 %, n = {figure['n']})"


def _beside(card: Card) -> list[str]:
    """The direction, its controls, and the words, at strength 1."""
    controls, response = card.details.get("controls"), card.details.get("dose_response")
    levels = _levels(card.details)
    if not controls or not response or not {0.0, 1.0} <= set(levels):
        return []
    words = words_of(card)
    asked = card.details.get("asked") or {}
    # What a strength damages is told of other messages than the split's.
    own, plain = ({**_at(response, strength), **levels[strength]} for strength in (1.0, 0.0))
    split = "test" if controls.get("split") == "test" else "validation"
    kinds = [kind for kind in _CONTROLS if kind in controls]
    said = []
    for key in controls[kinds[0]]:
        figures = [f"unsteered {plain[key]:.3f}", f"this direction {own[key]:.3f}"]
        for kind in kinds:
            values = controls[kind][key]
            figures.append(f"{_CALLED[kind]} {sum(values) / len(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        if key in asked and (split == "validation" or key == "damage"):
            figures.append(f"asked for in words {asked[key]:.3f}")
        said.append(f"{words.get(key, key)}: {' · '.join(figures)}")
    ranks = ", ".join(f"{_CALLED[kind]} {p_text(p)}" for kind, _, _, p in control_ranks(card.details))
    n = controls["n"]
    paid = ", ".join(f"{_CALLED[kind]} {p_text(p)}" for kind, p in (controls.get("paid") or {}).items())
    more = f"; paid for the choice among {len(card.details.get('all_scores', ()))} places: {paid}" if paid else ""
    said.append(
        f"controls: {n} of each kind, as long as this one, on the {split} split; how far they move the effect, by rank: {ranks} (of so "
        f"many {1 / (1 + n):.2g} at least){more}"
    )
    if asked:
        beside = (
            f" ({words_of(card)['effect']} {asked['effect']:.3f} on the validation split)" if split == "test" else ""
        )
        said.append(f"asked for in words: {asked['wish']}{beside}")
    return said


def sample_answers(card: Card) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A message, and what the model says to it at some strengths, each on one line; nothing where that was not asked."""
    samples = card.details.get("samples")
    if not samples:
        return "", ()
    rows = zip(samples["strengths"], samples["answers"], strict=True)
    return samples["message"], tuple((strength_text(strength), " ".join(answer.split())) for strength, answer in rows)


def _samples(card: Card) -> list[str]:
    asked, answers = sample_answers(card)
    return [f"to: {asked}", *(f"{strength}  {said}" for strength, said in answers)] if answers else []
