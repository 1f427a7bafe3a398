"""How those who made a model draw its tokens, as its generation_config.json says. No torch."""

from __future__ import annotations

from core.chat.settings import Sampling, SettingsError
from core.errors import TillerError
from core.families.checkpoint import Checkpoint
from core.models import files, hub
from core.models.load_errors import explained
from core.util.decode import DecodeError, Decoder
from core.util.files import read_json

FILE = "generation_config.json"
#: What transformers draws by where the file says that tokens are drawn and no more.
_UNSAID = {"temperature": 1.0, "top_k": 50, "top_p": 1.0, "repetition_penalty": 1.0}
_DECODER = Decoder({str: str})


def own_sampling(checkpoint: Checkpoint) -> Sampling | None:
    """What a checkpoint's makers draw by; None where its files are not on this computer, or say nothing that can be used."""
    path = hub.here(checkpoint.weights, FILE)
    try:
        found = read_json(path) if path else {}
        if not isinstance(found, dict) or not found.get("do_sample"):
            return None
        said = {name: found[name] for name in _UNSAID if found.get(name) is not None}
        sampling: Sampling = _DECODER.decode(Sampling, {**_UNSAID, **said})
    except (OSError, ValueError, DecodeError, SettingsError):
        # What cannot be read is said when the model is loaded; what goes beyond what is allowed here is nothing to go by.
        return None
    return sampling if sampling.temperature else None


def drawn_by_itself(checkpoint: Checkpoint) -> Sampling:
    """The same; what is on the Hub alone is fetched. Raises TillerError where there is nothing of the kind."""
    if not checkpoint.local:
        explained(checkpoint, lambda: files.small_files(checkpoint))
    if (found := own_sampling(checkpoint)) is None:
        raise TillerError(
            f"{checkpoint.name} says no sampling of its own in its {FILE}; leave --own-sampling out, and give a --temperature."
        )
    return found


def sampling_said(sampling: Sampling) -> str:
    """Sampling in words, without what is off."""
    parts = [f"temperature {sampling.temperature:g}"]
    parts += [f"top-p {sampling.top_p:g}"] * (sampling.top_p < 1) + [f"top-k {sampling.top_k}"] * bool(sampling.top_k)
    parts += [f"repetition penalty {sampling.repetition_penalty:g}"] * (sampling.repetition_penalty != 1)
    return ", ".join(parts)
