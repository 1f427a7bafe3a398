"""Putting a Space on the Hugging Face Hub, and waiting until it runs there. No torch."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import TillerError
from core.models.hub import out_of_reach
from core.spaces.contents import TAG, SpaceContents
from core.spaces.hardware import BASIC, ZERO

if TYPE_CHECKING:
    from huggingface_hub import HfApi, SpaceRuntime

#: Seconds in which a Space has to be built and started, as the Hub has it, and in which it notices what was put there.
PATIENCE, MOMENT = 1_800.0, 60.0
_POLL = 3.0
_PAGE = "https://huggingface.co"
_LOG_IN = "log in with `hf auth login` and a token that may write, or set HF_TOKEN"
_LOGGED_OUT = f"You are not logged in to the Hugging Face Hub; {_LOG_IN}."
#: What a log's last line that says what is wrong begins with, where it is not simply its last.
_FAULTS = ("error", "exception", "failed", "no matching", "not found")


def page_of(name: str) -> str:
    """The address of a Space."""
    return f"{_PAGE}/spaces/{name}"


def usual_hardware() -> str:
    """What a Space of whoever is logged in runs on where none is named: the small machine, for accounts that pay; others can have ZeroGPU
    alone."""
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        return ZERO
    with _in_a_sentence("Your account"):
        return BASIC if HfApi().whoami().get("isPro") else ZERO


def publish(contents: SpaceContents, name: str, hardware: str, private: bool) -> Iterator[str]:
    """Make the Space ``name`` (``owner/name``) be these files; what is being done, in sentences, the last of which says where it is.

    A Space that is there already is changed only where Tiller made it.

    Raises:
        TillerError: it cannot be made, written or started; the fix.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise TillerError(_LOGGED_OUT)
    api = HfApi()
    with _in_a_sentence(name):
        yield f"Making {page_of(name)}."
        _made(api, name, contents.sdk, hardware, private)
        yield f"Uploading {len(contents.pieces)} files."
        with tempfile.TemporaryDirectory(prefix="tiller-space-") as folder:
            contents.write(Path(folder))
            api.upload_folder(
                repo_id=name, repo_type="space", folder_path=folder, delete_patterns=["*"], commit_message="By launch.py space"
            )  # fmt: skip
        if contents.sdk == "gradio":
            yield "Waiting until it is built and has started, which takes some minutes; Ctrl-C leaves it to itself."
            _await(api, name)
    yield f"It is open at {page_of(name)}"


def _made(api: HfApi, name: str, sdk: str, hardware: str, private: bool) -> None:
    from huggingface_hub.errors import HfHubHTTPError

    machine = hardware if sdk == "gradio" else None
    try:
        api.create_repo(name, repo_type="space", space_sdk=sdk, space_hardware=machine, private=private)  # type: ignore[arg-type]
        return
    except HfHubHTTPError as error:
        # Who may make none (of a plan that has them, or with a token for that) may have one of this name already.
        if _status(error) not in (401, 402, 403, 409):
            raise
        try:
            found = api.space_info(name)
        except HfHubHTTPError:
            raise error from None
    if TAG not in (found.tags or ()):
        raise TillerError(
            f"{page_of(name)} is there already and was not made by this command, which would replace it; take another name, or delete it "
            "there."
        )
    if private and not found.private:
        api.update_repo_settings(name, repo_type="space", private=True)
    if machine and machine != api.get_space_runtime(name).requested_hardware:
        api.request_space_hardware(name, machine)  # type: ignore[arg-type]


def _await(api: HfApi, name: str) -> None:
    """Wait until it runs. Raises TillerError with what the Hub says where it does not."""
    began = time.monotonic()
    while True:
        try:
            found = api.wait_for_space(name, timeout=PATIENCE, poll_interval=_POLL)
        except TimeoutError as error:
            raise TillerError(
                f"It is not running after {PATIENCE / 60:.0f} minutes; see {page_of(name)}?logs=build."
            ) from error
        # The Hub may not have looked at the files yet.
        if found.stage != "NO_APP_FILE" or time.monotonic() - began > MOMENT:
            break
        time.sleep(_POLL)
    if found.stage != "RUNNING":
        raise TillerError(_broken(api, name, found))


def _broken(api: HfApi, name: str, found: SpaceRuntime) -> str:
    building = "BUILD" in found.stage
    where = f"{page_of(name)}?logs={'build' if building else 'container'}"
    said = str(found.raw.get("errorMessage") or "").strip() or _last_fault(api, name, building)
    reason = f": {' '.join(said.split())[:300].rstrip('.')}" if said else ""
    return f"The Space was uploaded, and does not run ({found.stage.lower().replace('_', ' ')}){reason}. All of its log is at {where}."


def _last_fault(api: HfApi, name: str, building: bool) -> str:
    """The line of its log that says most: the last one that speaks of an error, else the last one."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        lines = [line.strip() for line in api.fetch_space_logs(name, build=building) if line.strip()]
    except HfHubHTTPError:
        # The sentence names where the log is, too.
        return ""
    faults = [line for line in lines if any(word in line.lower() for word in _FAULTS)]
    return next(reversed(faults or lines), "")


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


@contextmanager
def _in_a_sentence(name: str) -> Iterator[None]:
    """What the Hub's client raises, as one sentence that names the fix."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    try:
        yield
    except LocalTokenNotFoundError as error:
        raise TillerError(_LOGGED_OUT) from error
    except HFValidationError as error:
        raise TillerError(f"{name} is no name of a Space; write OWNER/NAME with letters, digits, . - and _.") from error
    except HfHubHTTPError as error:
        raise TillerError(_refused(name, _status(error), str(error.server_message or "").strip())) from error
    except Exception as error:
        if not out_of_reach(error):
            raise
        raise TillerError(
            "The Hugging Face Hub cannot be reached; go online and leave --offline out, or write the files with --out FOLDER and upload "
            "them from elsewhere."
        ) from error


def _refused(name: str, status: int, said: str) -> str:
    if status == 401:
        return f"The Hugging Face Hub does not know who you are; {_LOG_IN}."
    if status == 402:
        return (
            f"This account has no plan with which {name} could run on that hardware; take --hardware {ZERO}, which a free account can have "
            "(two Spaces, thirty days after it was made), or --static, which costs nothing."
        )
    if status == 403:
        return f"Your token may not write {name}; {_LOG_IN}, as somebody to whom {name.partition('/')[0]} belongs."
    if status == 429:
        return "The Hugging Face Hub asks you to wait before it takes more; start again in some minutes."
    return f"The Hugging Face Hub does not take {name} (error {status}{f': {said[:200]}' if said else ''}); try again later."
