"""How large what comes from outside may be: checked before anything is made of it, so that a small file or link never becomes hours or
gigabytes. Far above what people need; what is over a limit is refused with a sentence, and nothing is lost.
"""

from __future__ import annotations

#: Characters of a message, of a system prompt, and of the words that a column asks with.
MAX_MESSAGE = 20_000
#: Turns of a chat; the context of a model holds fewer long before.
MAX_TURNS = 500
#: Tokens that an answer has at most.
MAX_TOKENS = 4096
#: Stop strings of a chat, and characters of each.
MAX_STOPS = 16
MAX_STOP = 200
#: Characters of a recipe, and its terms.
MAX_RECIPE = 2_000
MAX_TERMS = 64
#: Digits of a layer's number: no model has a thousand blocks.
LAYER_DIGITS = 3
#: Bytes of a link once it is unpacked, or of what a program sends to /v1, and characters of a chat that a file brings, with all that is
#: known of its answers.
MAX_LINK = 1_000_000
MAX_CHAT = 20_000_000
#: Bytes of a request to a server: such a chat, whose characters take four at most, and the link that comes with it.
MAX_BODY = 4 * MAX_CHAT + MAX_LINK
#: Bytes of all that are answered at a time, but for uploads and small ones.
MAX_TOGETHER = 3 * MAX_BODY
#: Layers that a file's vectors are of, and numbers in all of them.
MAX_ROWS = 1_000
MAX_NUMBERS = 50_000_000
#: Bytes of a file that is handed over, and of what it unpacks to; of the files of one visitor that a server keeps, and of all of them.
MAX_UPLOAD = 200_000_000
MAX_UPLOADS_OF_ONE = 2 * MAX_UPLOAD
MAX_UPLOADS = 10 * MAX_UPLOAD
#: Bytes of a request that brings files, with what its form says of them.
MAX_FORM = MAX_UPLOAD + MAX_LINK
#: Versions of a chat: answers that were drawn again, and edits, each with what came after it.
MAX_BRANCHES = 200
#: Blocks that a config.json may speak of, and experts in all of them, or anything else that is counted and no size: they are made before
#: a weight is read, and no model has more.
MAX_BLOCKS = 1_000
MAX_PARTS = 200_000
MAX_EXPERTS = 1_000_000
#: What the lists of a tokenizer's post-processor hold together.
MAX_ADDED = 1_000
#: How many times as long the steps of a tokenizer may make a text together; those of real ones make it a dozen times as long at the most.
MAX_GROWTH = 10_000
#: Characters of a file of many chats.
MAX_LIBRARY = 200_000_000
