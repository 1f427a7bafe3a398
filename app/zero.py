"""ZeroGPU, the Spaces that a free account of the Hugging Face Hub can have: a GPU is lent for the length of one call of a function that
is marked for it.

Tiller computes on such a Space's processor, which answers at once and keeps an engine thread with its models; what is called there runs in
another process, which has neither. The platform ends a Space that marks nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.cli.options import Options

#: Set by the platform.
VARIABLE = "SPACES_ZERO_GPU"


def stay_on_the_processor(options: Options) -> None:
    """On ZeroGPU: mark a function, and compute on the processor, whatever PyTorch says of a GPU there. Elsewhere nothing.

    To be called before Gradio and PyTorch are imported, which the platform's package changes.
    """
    if os.environ.get(VARIABLE, "").lower() not in ("1", "true"):
        return
    import spaces

    spaces.GPU(gpu_name)
    if options.device == "auto":
        options.device = "cpu"


def gpu_name() -> str:
    """What is lent."""
    import torch

    return torch.cuda.get_device_name()
