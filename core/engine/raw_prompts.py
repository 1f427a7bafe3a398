"""Models without a chat, for other programs: raw prompts that are continued and scored, and what their tokenizers do. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.chat.raw import RawAnswer, RawRequest, TokenizerTold
from core.engine.thread import EngineThread
from core.families.checkpoint import FamilyRef
from core.util.progress import Slices

if TYPE_CHECKING:
    from core.engine.worker import Worker


class RawPrompts:
    """Raw prompts for the checkpoints of an engine's family. Every method raises TillerError for what cannot be done."""

    def __init__(self, thread: EngineThread[Worker], families: FamilyRef) -> None:
        self._thread, self._families = thread, families

    def complete(self, ask: RawRequest) -> Slices[list[RawAnswer]]:
        """Continue prompts and score their tokens, a slice at a time between the steps of chats; closing it ends the work."""
        family = self._families.family
        return self._thread.slices(lambda worker: worker.complete(family, ask))

    def tokens(self, checkpoint: str, text: str, begun: bool) -> tuple[int, ...]:
        """A text as a checkpoint's tokenizer reads it; ``begun``: as that begins one."""
        return self._thread.call(lambda worker: worker.tokens(checkpoint, text, begun)).result()

    def text(self, checkpoint: str, ids: Sequence[int]) -> str:
        """Token ids as text, special tokens spelt out."""
        return self._thread.call(lambda worker: worker.text(checkpoint, ids)).result()

    def tokenizer(self, checkpoint: str) -> TokenizerTold:
        """What other programs want to know of a checkpoint's tokenizer."""
        return self._thread.call(lambda worker: worker.tokenizer(checkpoint)).result()
