"""The lock that is held round every ``from_pretrained`` of a model. No torch."""

from __future__ import annotations

import threading

#: transformers switches the tying of embeddings (and torch's default dtype) off for the whole process while it loads; two loads at
#: once can leave them off for good.
ONE_LOAD_AT_A_TIME = threading.RLock()
