"""What steering costs while a model writes, as ratios to transformers' own ``generate``.

The model that ``generate`` runs on is the checkpoint as transformers loads it; Tiller packs the weights of small ones
(:mod:`core.models.fast_linear`), so that its answers are compared with what a person without Tiller has.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from benchmarks.ratios import interleaved, report
from core.artefacts import store
from core.artefacts.direction import Direction, load_direction
from core.chat.events import Token
from core.chat.settings import Column, Sampling, Settings
from core.chat.sliders import SLIDER_STRENGTHS
from core.errors import TillerError
from core.families import registry
from core.families.checkpoint import Counterfactual, Family
from core.families.commands import family_option
from core.inference import prompts
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.teacher_forcing import score_replies
from core.models import loading
from core.models import quantization as quantizing
from core.models.hooks import locate
from core.models.loading import Loaded
from core.recipes.language import Recipe, parse
from core.steering.interventions import RowEdit, compile_recipe
from core.util.program import program

#: Tokens of every answer that is timed.
TOKENS = 48
MESSAGE = "What is the capital of France?"


class Subject:
    """A checkpoint that never ends an answer early, its prompt, and one direction to steer it by.

    ``bare`` is the same checkpoint as transformers loads it.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        family = registry.load_family(options.family)
        name = options.checkpoint or family.final.name
        torch.set_num_threads(options.threads or loading.threads())
        loaded = loading.load_model(family, name, options.placing)
        # Answers of the same length are compared: nothing ends one before its time, neither here nor in `generate`.
        self.loaded: Loaded = dataclasses.replace(loaded, ends=frozenset(), stops=())
        self.bare = self._as_transformers_has_it()
        settings = Settings(family.name, (Column(name),)).ask(MESSAGE)
        self.prompt = prompts.build(self.loaded, settings, 0).ids
        self.direction = self._direction(family, name)
        self.sampling = Sampling(max_new_tokens=TOKENS)
        print(f"{family.title} {name}, {TOKENS} tokens, {torch.get_num_threads()} threads, {loaded.device}", flush=True)

    def _as_transformers_has_it(self) -> Loaded:
        checkpoint = self.loaded.checkpoint
        if isinstance(checkpoint, Counterfactual):
            raise TillerError(
                f"{checkpoint.name} is kept as a difference, which transformers cannot load to compare with; take {checkpoint.of}."
            )
        revision = {"revision": checkpoint.revision} if checkpoint.revision else {}
        how: dict[str, Any] = {"dtype": self.loaded.model.dtype, "device_map": {"": str(self.loaded.device)}}
        if (quantization := quantizing.quantization_config(self.loaded.quantize)) is not None:
            how["quantization_config"] = quantization
        model: Any = AutoModelForCausalLM.from_pretrained(checkpoint.source, **how, **revision)
        model = model.eval().requires_grad_(False)
        quantizing.steady(model, differentiable=False)
        return dataclasses.replace(self.loaded, model=model, anatomy=locate(model))

    @staticmethod
    def _direction(family: Family, name: str) -> Direction:
        cards = store.cards(family.places, name)
        if not cards:
            raise TillerError(
                f"{name} has no direction to steer by; run `{program()} precompute{family_option(family)}` first."
            )
        return load_direction(next((card.path for card in cards if card.name == "truth"), cards[0].path))

    def recipe(self, text: str) -> Recipe:
        """The recipe that a person gave, or half a strength of the direction."""
        return parse(text or f"0.5*{self.direction.card.name}")

    def edits(self, recipe: Recipe) -> tuple[RowEdit, ...]:
        """What ``recipe`` does, by the directions that are stored."""
        return compile_recipe(recipe, self.loaded, self._fetch)

    def _fetch(self, name: str, checkpoint: str) -> Direction:
        family = self.loaded.family
        path = store.find_artefact(family.places, checkpoint, "direction", name)
        if path is None:
            raise TillerError(
                f"{checkpoint} has no direction {name!r}; run `{program()} precompute{family_option(family)}` first."
            )
        return load_direction(path)

    def speaker(self, column: int, recipe: Recipe | None = None, shadow: bool = False) -> DecodingRow:
        """A row of this subject's answer under ``recipe``; a plain one without."""
        return DecodingRow(column, self.prompt, self.edits(recipe or Recipe()), self.sampling, shadow)

    def answer(self, speakers: Sequence[DecodingRow]) -> dict[int, list[int]]:
        """What the decode loop says, as token ids by column."""
        stream = BatchDecoder(self.loaded, speakers)
        said: dict[int, list[int]] = {speaker.column: [] for speaker in speakers}
        while not stream.done:
            for event in stream.step():
                if isinstance(event, Token):
                    said[event.column].append(event.id)
        return said

    def generate(self) -> list[int]:
        """What transformers' own ``generate`` says, greedily, on the model as transformers has it."""
        return self.scored()[0]

    def scored(self, logits: bool = False) -> tuple[list[int], tuple[torch.Tensor, ...]]:
        """The same, and where they are asked for the logits [1, vocabulary] that each token was chosen by."""
        ids = torch.tensor([self.prompt], device=self.loaded.device)
        wanted = GenerationConfig(
            do_sample=False,
            max_new_tokens=TOKENS,
            eos_token_id=self.loaded.model.config.get_text_config().vocab_size,
            pad_token_id=self.loaded.pad,
            output_logits=logits,
            return_dict_in_generate=True,
        )
        made: Any = self.bare.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=wanted)  # type: ignore[operator]
        return [int(token) for token in made.sequences[0, len(self.prompt) :]], made.logits or ()

    # ------------------------------------------------------- hooks as anybody writes them, to compare the tokens with

    @contextmanager
    def hand_written(
        self, hooks: Sequence[tuple[torch.nn.Module, Callable[[torch.Tensor], torch.Tensor]]]
    ) -> Iterator[None]:
        """Forward hooks that replace what a module returns."""

        def replacing(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., Any]:
            def hook(_module: object, _inputs: object, output: Any) -> Any:
                if isinstance(output, tuple):
                    return (change(output[0]), *output[1:])
                return change(output)

            return hook

        handles = [module.register_forward_hook(replacing(change)) for module, change in hooks]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def but_first(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
        """``change`` everywhere but at the first token, which only the pass over the prompt contains: it is not added to."""

        def changed(states: torch.Tensor) -> torch.Tensor:
            new = change(states)
            if states.shape[1] > 1:
                new[:, 0] = states[:, 0]
            return new

        return changed

    def added(self, strength: float) -> tuple[list[int], tuple[torch.Tensor, ...]]:
        """``generate`` with the direction added by hand at its best layer."""
        layer = self.direction.card.layer
        vector = torch.from_numpy(self.direction.vectors[layer] * np.float32(strength)).to(self.loaded.device)
        with self.hand_written(
            [(self.bare.anatomy.blocks[layer], self.but_first(lambda states: (states + vector).to(states.dtype)))]
        ):
            return self.scored(logits=True)

    def ablated(self) -> tuple[list[int], tuple[torch.Tensor, ...]]:
        """``generate`` with the direction projected out by hand of the embedding and of all that the blocks write."""
        unit = torch.from_numpy(self.direction.unit(self.direction.card.layer)).to(self.loaded.device)
        anatomy = self.bare.anatomy
        embedding = self.bare.model.get_input_embeddings()

        def change(states: torch.Tensor) -> torch.Tensor:
            wide = states.float()
            return (wide - (wide @ unit)[..., None] * unit).to(states.dtype)

        with self.hand_written([(module, change) for module in (embedding, *chain(*anatomy.writers))]):
            return self.scored(logits=True)


@cache
def _subject(**options: Any) -> Subject:
    return Subject(argparse.Namespace(**options))


def subject(options: argparse.Namespace) -> Subject:
    """The subject of these options, loaded once."""
    names = ("family", "checkpoint", "placing", "threads")
    return _subject(**{name: getattr(options, name) for name in names})


def steering(options: argparse.Namespace) -> bool:
    """Steered decoding, readings included, against ``generate`` without steering; and whether the tokens are right."""
    it = subject(options)
    name = it.direction.card.name
    one, everywhere = it.speaker(0, parse(f"0.5*{name}")), it.speaker(0, parse(f"!{name}"))
    print("steering: the decode loop, all readings included, against transformers' generate", flush=True)
    dtype = it.bare.model.dtype
    same = _same("plain", dtype, it.answer([it.speaker(0)])[0], *it.scored(logits=True))
    same &= _same("one layer", dtype, it.answer([one])[0], *it.added(0.5))
    same &= _same("ablated everywhere", dtype, it.answer([everywhere])[0], *it.ablated())
    things: dict[str, Callable[[], object]] = {
        "generate": it.generate,
        "plain": lambda: it.answer([it.speaker(0)]),
        "one": lambda: it.answer([one]),
        "everywhere": lambda: it.answer([everywhere]),
    }
    if options.recipe:
        given = it.speaker(0, parse(options.recipe))
        things["given"] = lambda: it.answer([given])
    timed = interleaved(things, options.pairs)
    base, plain = timed["generate"], timed["plain"]
    print(f"  generate: {base.median / TOKENS * 1e3:.2f} ms a token", flush=True)
    good = report("plain", plain.over(base), 1.05)
    good &= report("one added layer", timed["one"].over(base), 1.05)
    good &= report("ablation everywhere", timed["everywhere"].over(base), 1.15)
    report("one added layer, against Tiller's own plain answer", timed["one"].over(plain))
    report("ablation everywhere, against Tiller's own plain answer", timed["everywhere"].over(plain))
    if options.recipe:
        report(options.recipe, timed["given"].over(base))
    return good and same


def _same(what: str, dtype: torch.dtype, ours: list[int], theirs: list[int], logits: tuple[torch.Tensor, ...]) -> bool:
    """Whether these are the tokens of ``generate``, whose ``logits`` chose them; or part from them at two whose logits are two steps
    of the model's dtype from each other at most: to its precision they are equally likely."""
    at = next((place for place, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]), None)
    if at is None:
        print(f"  {what:<58} the same {len(ours)} tokens as generate with hooks by hand")
        return True
    chosen, other = (float(logits[at][0, each[at]]) for each in (theirs, ours))
    close = chosen - other <= 2 * torch.finfo(dtype).eps * abs(chosen)
    print(
        f"  {what:<58} "
        + (f"the same {at} tokens, then one of two that are equally likely to {str(dtype).removeprefix('torch.')}'s precision" if close else
           f"OTHER TOKENS: they part at token {at}, whose logits are {chosen - other:.3g} apart")
    )  # fmt: skip
    return close


def rows(options: argparse.Namespace) -> bool:
    """A plain, a steered and a shadow row in one batch against one answer of ``generate``."""
    it = subject(options)
    print("rows: what a chat's two columns and the shadow cost together", flush=True)
    three = [it.speaker(0), it.speaker(1, it.recipe(options.recipe), shadow=True)]
    timed = interleaved(
        {"generate": it.generate, "one": lambda: it.answer([it.speaker(0)]), "three": lambda: it.answer(three)},
        options.pairs,
    )
    good = report("three rows against one answer of generate", timed["three"].over(timed["generate"]), 1.25)
    report("three rows against Tiller's own one", timed["three"].over(timed["one"]))
    return good


def scrubbing(options: argparse.Namespace) -> bool:
    """Nine strengths, with the unsteered model's readings of each, against one answer of ``generate``."""
    it = subject(options)
    recipe = it.recipe(options.recipe)
    moved = next((term.direction for term in recipe.terms if term.kind == "add"), None)
    if moved is None:
        raise TillerError(
            f"No slider moves {options.recipe!r}; give scrubbing a recipe that adds, such as 0.5*refusal."
        )
    print("scrubbing: nine strengths of one answer", flush=True)
    term = recipe.slider(moved)
    source = term.source if term else None
    speakers = [
        it.speaker(index, recipe.with_strength(moved, strength, source))
        for index, strength in enumerate(SLIDER_STRENGTHS)
    ]

    def nine() -> None:
        said = it.answer(speakers)
        score_replies(it.loaded, [it.prompt] * len(speakers), [said[speaker.column] for speaker in speakers])

    timed = interleaved(
        {"generate": it.generate, "one": lambda: it.answer([it.speaker(0, recipe)]), "nine": nine}, options.pairs
    )
    note = f"{timed['nine'].median:.2f} s until all nine are there"
    good = report("nine strengths against one answer of generate", timed["nine"].over(timed["generate"]), 2.0, note)
    report("nine strengths against Tiller's own one", timed["nine"].over(timed["one"]))
    return good
