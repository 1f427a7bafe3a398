"""What stands behind the last block: the final norm with its gain, and the unembedding, in full precision whatever the model is loaded in.

A norm is known by what it does, not by its class: x is scaled by s(x) = 1/√(mean (x − c)² + ε), with c = 0 (RMSNorm) or the mean of x
(LayerNorm), multiplied by a gain and moved by a bias. Gain and bias are read off its outputs, so that Gemma's 1 + weight needs no rule
of its own, and a norm that does anything else is refused.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from accelerate.hooks import remove_hook_from_module
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from core.models import weights
from core.models.files import LoadError
from core.models.hooks import AnatomyError
from core.models.loading import Loaded

#: A power of two so large that its square drowns every ε and is exact: what comes out is ±1 times the gain.
_LARGE = 2.0**20


class Precise:
    """The weights of a checkpoint's modules in float32: those in memory where they are that, else read by name from its files.

    ``source`` says which, once something was asked for.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._names = {id(module): name for name, module in loaded.model.named_modules()}
        self._files: weights.Weights | None = None
        self.source = "in memory, float32"

    def weight(self, module: nn.Module, name: str = "weight") -> Tensor:
        """A parameter of a module of the model in float32, on the CPU unless it is in memory elsewhere.

        Raises:
            LoadError: the model is quantized, or in fewer digits, and the files do not have this tensor.
        """
        held = getattr(module, name)
        if held.dtype == torch.float32 and held.device.type != "meta":
            found: Tensor = held.detach()
            return found
        if self._files is None:
            self._files = weights.weights_of(self._loaded.checkpoint)
        found = self._read(module, name)
        self.source = "read from disk, float32"
        if found.shape != held.shape and not _packed(module):
            raise LoadError(
                f"{self._names[id(module)]}.{name} of {self._loaded.checkpoint.name} has another shape on disk than in memory; load it "
                "with --dtype float32."
            )
        return found

    def _read(self, module: nn.Module, name: str) -> Tensor:
        assert self._files is not None
        asked = [module]
        if module is self._loaded.anatomy.unembedding:
            # A tied unembedding is stored once, as the embedding.
            asked.append(self._loaded.model.get_input_embeddings())
        for each in asked:
            try:
                return self._files.full(f"{self._names[id(each)]}.{name}")
            except LoadError as error:
                refused = error
        raise LoadError(
            f"Neurons are judged by their weights in full precision, which {self._loaded.checkpoint.name} does not have under this name: "
            f"{refused} Load it with --quantize none --dtype float32."
        ) from refused


def _packed(module: nn.Module) -> bool:
    return type(module).__name__ in ("Linear4bit", "Linear8bitLt")


def columns(precise: Precise, projection: nn.Module) -> Tensor:
    """The output weights of an MLP's neurons, a neuron a column: [width, neurons] in float32."""
    weight = precise.weight(projection)
    return weight.T if isinstance(projection, Conv1D) else weight


@dataclass(frozen=True)
class FinalNorm:
    """A norm as a formula: (x − c) · s(x) · ``gain`` + ``bias``. ``gain`` and ``bias`` [width] are float32."""

    gain: Tensor
    bias: Tensor
    centred: bool
    epsilon: float

    def scale(self, states: Tensor) -> Tensor:
        """s(x) for ``states`` [tokens, width]: [tokens, 1], in float32."""
        whole = self._moved(states)
        return (whole.pow(2).mean(-1, keepdim=True) + self.epsilon).rsqrt()

    def apply(self, states: Tensor, scale: Tensor) -> Tensor:
        """The norm's output with a scale that may be that of other states: [tokens, width], in float32."""
        return self._moved(states) * scale * self.gain.to(states.device) + self.bias.to(states.device)

    def _moved(self, states: Tensor) -> Tensor:
        whole = states.float()
        return whole - whole.mean(-1, keepdim=True) if self.centred else whole


@torch.inference_mode()
def final_norm(precise: Precise, module: nn.Module, width: int) -> FinalNorm:
    """The final norm of a model as a formula.

    Raises:
        AnatomyError: it does something else.
        LoadError: its weights are not to be had in full precision.
    """
    norm: Any = remove_hook_from_module(copy.deepcopy(module))
    for name, parameter in module.named_parameters(recurse=False):
        whole = precise.weight(module, name).float().cpu()
        setattr(norm, name, nn.Parameter(whole, requires_grad=False))
        assert whole.shape == parameter.shape
    signs = torch.ones(1, width)
    signs[:, 1::2] = -1
    up, down = norm(signs * _LARGE), norm(-signs * _LARGE)
    gain, bias = ((up - down) / 2 * signs)[0], ((up + down) / 2)[0]
    epsilon = float(getattr(norm, "variance_epsilon", getattr(norm, "eps", 0.0)) or 0.0)
    tried = torch.linspace(-1, 2, 3 * width).reshape(3, width)
    for centred in (False, True):
        found = FinalNorm(gain, bias, centred, epsilon)
        if torch.allclose(found.apply(tried, found.scale(tried)), norm(tried).float(), rtol=1e-4, atol=1e-5):
            return found
    raise AnatomyError(
        f"The final norm of this model ({type(module).__name__}) is neither an RMSNorm nor a LayerNorm, so that its gain cannot be folded "
        "into the unembedding; steering and readings work, and for neurons take another model."
    )


class Head:
    """From the residual that leaves the last block to logits, with the final norm's scale free or held."""

    def __init__(self, loaded: Loaded) -> None:
        self.precise = Precise(loaded)
        self.norm = final_norm(self.precise, loaded.anatomy.final_norm, loaded.width)
        self._unembedding = loaded.anatomy.unembedding
        text: Any = loaded.model.config.get_text_config()
        self._cap = float(getattr(text, "final_logit_softcapping", None) or 0.0)
        self._dtype = loaded.model.dtype

    @torch.inference_mode()
    def logits(self, final: Tensor) -> Tensor:
        """Logits [tokens, vocabulary] in float32 for the residuals ``final`` [tokens, width]."""
        return self._capped(self._read(final))

    @torch.inference_mode()
    def with_scales(self, final: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Logits with the norm's scale as ``final`` has it, and with ``scale`` [tokens, 1] in its place.

        Up to a constant, the norm's bias as the unembedding reads it, logits before a cap are proportional to the scale: it is read once.
        """
        free = self._read(final)
        constant: Tensor = self._unembedding(self.norm.bias.to(final.device, self._dtype)).float()
        held = constant + (free - constant) * (scale / self.norm.scale(final))
        return self._capped(free), self._capped(held)

    def _read(self, final: Tensor) -> Tensor:
        normed = self.norm.apply(final, self.norm.scale(final))
        logits: Tensor = self._unembedding(normed.to(self._dtype)).float()
        return logits

    def _capped(self, logits: Tensor) -> Tensor:
        return self._cap * torch.tanh(logits / self._cap) if self._cap else logits

    def check(self, final: Tensor, own: Tensor) -> None:
        """Raise AnatomyError unless the model's ``own`` logits [tokens, vocabulary] are what the formula gives."""
        far = float((self.logits(final) - own.float()).abs().max())
        close = 1e-3 if self._dtype == torch.float32 else 3e-2
        if far > close * max(1.0, float(own.abs().max())):
            raise AnatomyError(
                "This model does more to its logits than its final norm and its unembedding, so that the norm's scale cannot be held; "
                "steering and readings work, and for neurons take another model."
            )


def unembedding_rows(precise: Precise, loaded: Loaded) -> Tensor:
    """The unembedding [vocabulary, width] in float32, as it is stored: no gain is folded in."""
    return precise.weight(loaded.anatomy.unembedding)
