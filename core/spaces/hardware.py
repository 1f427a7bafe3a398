"""The machines on which the Hub runs a Space, and what has to be installed on each. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import TillerError

#: ZeroGPU, which lends a GPU for the time of one call; its machines are named after one that they no longer have.
ZERO = "zero-a10g"
BASIC = "cpu-basic"
#: What ZeroGPU has (docs/hub/spaces-zerogpu.md of huggingface/hub-docs, July 2026): these versions and no others.
_ZERO_PYTHON, _ZERO_TORCH = "3.12.12", "torch==2.11.0"
_CPU_TORCH = ("--extra-index-url https://download.pytorch.org/whl/cpu",)


@dataclass(frozen=True)
class Hardware:
    """A machine by its name on the Hub: its Python, the line by which PyTorch is installed (empty: as everywhere) and from where,
    whether it has a GPU that a model may stay on, and the gigabytes of memory in which checkpoints have to fit (None: not known here)."""

    name: str
    python: str = "3.12"
    torch: str = ""
    indices: tuple[str, ...] = ()
    gpu: bool = True
    memory: float | None = None


#: Those that have no GPU, or none to stay on. PyTorch's build for CPUs takes a tenth of the room of the usual one.
_WITHOUT = (
    Hardware(BASIC, torch="torch==2.13.0+cpu", indices=_CPU_TORCH, gpu=False, memory=16),
    Hardware("cpu-upgrade", torch="torch==2.13.0+cpu", indices=_CPU_TORCH, gpu=False, memory=32),
    # What fits is computed on its processor; see app/zero.py.
    Hardware(ZERO, python=_ZERO_PYTHON, torch=_ZERO_TORCH, gpu=False),
)


def hardware_of(name: str) -> Hardware:
    """A machine by its name. Raises TillerError naming those there are."""
    from huggingface_hub import SpaceHardware

    names = [each.value for each in SpaceHardware]
    if name not in names:
        raise TillerError(f"There is no hardware {name!r} for a Space; it is one of {', '.join(names)}.")
    return next((each for each in _WITHOUT if each.name == name), Hardware(name))
