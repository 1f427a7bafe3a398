"""What steering and learning cost on models of a hundred million parameters: random weights, made on the spot in transformers' classes.

The ratios do not depend on what a model says. Weights are in float32 unless ``--dtype`` says otherwise, since rounding to bfloat16 decides
between tokens of a random model, and the tokens are compared with those of hooks written by hand.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig, PretrainedConfig, Qwen3Config

from benchmarks.ratios import interleaved, report
from core.artefacts import store
from core.artefacts.direction import Direction
from core.chat.events import Token
from core.chat.settings import Sampling
from core.directions.activations import states
from core.families import registry
from core.inference.batch import pad_batch
from core.inference.decoding import BatchDecoder, DecodingRow
from core.inference.prompts import encode
from core.models import loading
from core.models.loading import Loaded
from core.models.placement import Placing
from core.recipes.language import parse
from core.steering.interventions import RowEdit, compile_recipe

#: Tokens of every answer that is timed, and how many answers are written at once.
TOKENS = 24
BATCHES = (1, 8)
#: Prompts of each class that a direction is learnt from, and between how many tokens they have.
LEARNT = 128
LENGTHS = (6, 48)
#: Learning takes many seconds: it is timed so many times less often than an answer, and at least so often.
LONGER, LEARNT_PAIRS = 8, 5
_SHAPE: dict[str, Any] = {
    "vocab_size": 32_000,
    "hidden_size": 768,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1024,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
#: What is compared: the name of a thing, the recipe of Tiller's answer, and how much longer than ``generate`` it may take.
_RECIPES = (("plain", "", 1.05), ("one added term", "0.5*random", 1.05), ("ablation everywhere", "!random", 1.10))
_TEXT = (
    "The keeper of the lighthouse writes down every ship, its flag and the hour at which it passed the northern rocks. "
    * 4
)


def _config(kind: str) -> PretrainedConfig:
    if kind == "llama":
        return LlamaConfig(**_SHAPE)
    return Qwen3Config(**_SHAPE, head_dim=64, tie_word_embeddings=True)


@contextmanager
def random_model(kind: str, options: argparse.Namespace) -> Iterator[Loaded]:
    """A random model of about a hundred million parameters with a random direction, read by Tiller's own loader."""
    torch.set_num_threads(options.threads or loading.threads())
    skiff = registry.load_family("skiff")
    tokenizer = loading.load_model(skiff, skiff.final.name, Placing("cpu")).tokenizer
    with tempfile.TemporaryDirectory(prefix="tiller-bench-") as temporary:
        folder = Path(temporary) / kind
        torch.manual_seed(0)
        made: Any = AutoModelForCausalLM.from_config(_config(kind), dtype=torch.float32)
        made.save_pretrained(folder / "model")
        tokenizer.save_pretrained(folder / "model")
        (folder / "family.toml").write_text(
            f'title = "Random {kind}"\nnotes = "Random weights."\nlicence = "MIT"\n'
            '[[checkpoint]]\nname = "model"\npath = "model"\nstage = "pretrain"\n',
            encoding="utf-8",
        )
        size = sum(weight.numel() for weight in made.parameters())
        del made
        dtype = "float32" if options.dtype == "auto" else options.dtype
        loaded = loading.load_model(registry.load_family(str(folder)), "model", Placing(options.device, dtype))
        print(
            f"random {kind}, {size / 1e6:.0f} M parameters, {loaded.model.dtype}, {torch.get_num_threads()} threads, {loaded.device}",
            flush=True,
        )
        # Answers of one length are compared, of a model that says any row of its vocabulary, as generate lets it.
        yield dataclasses.replace(loaded, ends=frozenset(), stops=(), tokenless=loaded.tokenless[:0])


def prompts(loaded: Loaded, count: int, lengths: tuple[int, int]) -> list[tuple[int, ...]]:
    """Prompts of as many different lengths as there are between the two, in no order, each with a beginning of text."""
    ids = encode(loaded, _TEXT)
    made = np.random.default_rng(0)
    spread = made.permutation(np.linspace(*lengths, count).round().astype(int))
    return [(0, *np.roll(ids, -index)[: int(length) - 1].tolist()) for index, length in enumerate(spread)]


class Crowd:
    """Answers to several prompts at once, by Tiller's decode loop, by ``generate``, and by ``generate`` with hooks by hand."""

    def __init__(self, loaded: Loaded, rows: int) -> None:
        self.loaded = loaded
        self.prompts = prompts(loaded, rows, (16, 40))
        self.sheet = pad_batch(loaded, self.prompts)
        self.direction = self._random()

    def _random(self) -> Direction:
        """A random direction as long as the residual at its layer, so that half of it changes what is said."""
        loaded = self.loaded
        found = states(loaded, self.prompts, 1)[:, 0]
        made = np.random.default_rng(1).normal(size=(loaded.anatomy.layers, loaded.width)).astype(np.float32)
        vectors = made / np.linalg.norm(made, axis=1, keepdims=True) * found.norm(dim=-1).mean(0).numpy()[:, None]
        layer = loaded.anatomy.layers // 2
        details = {"layer": layer, "fingerprint": loaded.fingerprint}
        card = store.Card(loaded.family.folder, "direction", "random", loaded.family.name, "model", details)
        return Direction(card, vectors, vectors, np.zeros_like(vectors))

    def edits(self, recipe: str) -> tuple[RowEdit, ...]:
        """What a recipe does to a row."""
        return compile_recipe(parse(recipe), self.loaded, lambda _name, _checkpoint: self.direction)

    def answers(self, recipe: str) -> list[list[int]]:
        """The decode loop's answers, every reading included."""
        made, sampling = self.edits(recipe), Sampling(max_new_tokens=TOKENS)
        stream = BatchDecoder(
            self.loaded, [DecodingRow(index, each, made, sampling) for index, each in enumerate(self.prompts)]
        )
        said: list[list[int]] = [[] for _ in self.prompts]
        while not stream.done:
            for event in stream.step():
                if isinstance(event, Token):
                    said[event.column].append(event.id)
        return said

    def generate(self) -> list[list[int]]:
        """What transformers' own ``generate`` says, greedily."""
        wanted = GenerationConfig(
            do_sample=False,
            max_new_tokens=TOKENS,
            eos_token_id=self.loaded.model.config.vocab_size,
            pad_token_id=self.loaded.pad,
        )
        attention = self.sheet.attention if self.sheet.attention is not None else torch.ones_like(self.sheet.ids)
        made: Any = self.loaded.model.generate(self.sheet.ids, attention_mask=attention, generation_config=wanted)  # type: ignore[operator]
        return [[int(token) for token in row] for row in made[:, self.sheet.ids.shape[1] :]]

    def by_hand(self, recipe: str) -> list[list[int]]:
        """``generate`` with the recipe as hooks that anybody would write."""
        layer = self.direction.card.layer
        vector = torch.from_numpy(self.direction.vectors[layer]).to(self.loaded.device)
        unit = vector / vector.norm()
        anatomy = self.loaded.anatomy

        def add(_module: object, _inputs: object, found: Any) -> Any:
            states = found[0] if isinstance(found, tuple) else found
            # The pass over the prompt contains padding and the beginning of the text; neither is steered.
            acts = (
                torch.arange(states.shape[1])[None, :] > self.sheet.pads[:, None]
                if states.shape[1] > 1
                else torch.ones(1, 1)
            )
            return (states.float() + 0.5 * vector * acts[:, :, None].to(vector)).to(states.dtype)

        def ablate(_module: object, _inputs: object, found: Any) -> Any:
            states = found[0] if isinstance(found, tuple) else found
            wide = states.float()
            new: Tensor = (wide - (wide @ unit)[..., None] * unit).to(states.dtype)
            return (new, *found[1:]) if isinstance(found, tuple) else new

        everywhere = (self.loaded.model.get_input_embeddings(), *chain(*anatomy.writers))
        chosen = {
            "": [],
            "0.5*random": [(anatomy.blocks[layer], add)],
            "!random": [(each, ablate) for each in everywhere],
        }
        handles = [module.register_forward_hook(hook) for module, hook in chosen[recipe]]
        try:
            return self.generate()
        finally:
            for handle in handles:
                handle.remove()


def large(options: argparse.Namespace) -> bool:
    """Decoding one and eight answers of a 100 M model, steered, against ``generate``; and whether the tokens are right."""
    good = True
    for kind in ("llama", "qwen3"):
        with random_model(kind, options) as loaded:
            for rows in BATCHES:
                good &= _decoding(Crowd(loaded, rows), rows, options.pairs)
    return good


def _decoding(crowd: Crowd, rows: int, pairs: int) -> bool:
    good, said = True, []
    for name, recipe, _limit in _RECIPES:
        own, theirs = crowd.answers(recipe), crowd.by_hand(recipe)
        good &= own == theirs
        said.append(own)
        tokens = (
            f"the same {rows} × {TOKENS} tokens as generate with hooks by hand" if own == theirs else "OTHER TOKENS"
        )
        print(f"  {f'{rows} at once, {name}':<58} {tokens}", flush=True)
    if said[0] in said[1:]:
        print("  steering changes no token, so their agreement shows nothing")
        good = False
    things: dict[str, Callable[[], object]] = {"generate": crowd.generate}
    things |= {name: partial(crowd.answers, recipe) for name, recipe, _ in _RECIPES}
    timed = interleaved(things, pairs)
    print(f"  generate: {timed['generate'].median / TOKENS * 1e3:.1f} ms a step", flush=True)
    for name, _, limit in _RECIPES:
        good &= report(f"{rows} at once, {name}", timed[name].over(timed["generate"]), limit)
    return good


def learning(options: argparse.Namespace) -> bool:
    """Reading all layers at the last token of 128 + 128 prompts, against a plain loop over left-padded batches."""
    with random_model("llama", options) as loaded:
        both = prompts(loaded, 2 * LEARNT, LENGTHS)
        classes = both[:LEARNT], both[LEARNT:]

        def ours() -> Tensor:
            return _difference([states(loaded, part, 1)[:, 0] for part in classes])

        def plain() -> Tensor:
            return _difference([_plain_states(loaded, part) for part in classes])

        theirs = plain()
        apart = float((ours() - theirs).norm() / theirs.norm())
        print(f"  the two directions differ by {apart:.1e} of their length", flush=True)
        timed = interleaved({"plain": plain, "ours": ours}, options.pairs // LONGER, LEARNT_PAIRS)
        note = f"{timed['ours'].median:.1f} s against {timed['plain'].median:.1f} s"
        what = f"a direction from {LEARNT} + {LEARNT} prompts"
        good = report(what, timed["ours"].over(timed["plain"]), 0.80, note)
        return good and apart < (1e-4 if loaded.model.dtype is torch.float32 else 0.05)


def _difference(classes: Sequence[Tensor]) -> Tensor:
    """The difference of means at every layer but the last, which transformers reports behind the final norm only."""
    positive, negative = (part.double().mean(0) for part in classes)
    return (positive - negative)[:-1]


@torch.inference_mode()
def _plain_states(loaded: Loaded, prompts: Sequence[tuple[int, ...]], rows: int = 32) -> Tensor:
    """What a script does: batches in the order given, padded on the left, and transformers' hidden states: [prompts, layers, width]."""
    found = []
    for start in range(0, len(prompts), rows):
        sheet = pad_batch(loaded, prompts[start : start + rows])
        output = loaded.model(
            input_ids=sheet.ids, attention_mask=sheet.attention, position_ids=sheet.positions, use_cache=False,
            logits_to_keep=1, output_hidden_states=True,
        )  # fmt: skip
        found.append(torch.stack([layer[:, -1] for layer in output.hidden_states[1:]], dim=1).float().cpu())
    return torch.cat(found)
