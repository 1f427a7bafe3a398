"""``launch.py chats``: the chats that the terminal and the command line keep, listed, searched, shown, deleted, taken away and brought. No
torch."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from core.chat.answers import to_markdown
from core.chat.kept import KeptChats, KeptHead, chats_document, read_chats
from core.cli.options import Options
from core.engine.chats import kept_chats
from core.util.files import json_text, read_text, write_new
from core.util.program import program

_TITLE = 46


def run_chats(options: Options) -> int:
    """List the chats in which every word stands, or do with them what an option says; returns the exit status. Raises TillerError."""
    kept = kept_chats()
    if options.show is not None:
        session = kept.load(options.show)
        print(to_markdown(session.settings, session.answers))
    elif options.delete is not None:
        document = kept.document(options.delete)
        kept.delete(document["id"])
        print(f"Deleted {document['id']}.")
    elif options.export is not None:
        _write(options.export, kept)
    elif options.imported is not None:
        documents = read_chats(read_text(options.imported, "check the path"))
        for document in documents:
            kept.put(document)
        print(f"{len(documents)} {'chat' if len(documents) == 1 else 'chats'} imported.")
    else:
        _list(kept.list(" ".join(options.words)), bool(options.words))
    return 0


def _list(found: tuple[KeptHead, ...], searched: bool) -> None:
    if not found:
        which = " that has these words" if searched else ""
        print(f'No chat is kept here{which}; `{program()} chat "MESSAGE" --keep` keeps one.', file=sys.stderr)
        return
    for each in found:
        title = each.title if len(each.title) <= _TITLE else each.title[: _TITLE - 1] + "…"
        when = datetime.fromtimestamp(each.time)
        print(f"{each.id}  {when:%Y-%m-%d %H:%M}  {each.turns:>3}  {title:<{_TITLE}}  {each.family}")
    print(f'\n`{program()} chats --show ID` prints one, `{program()} chat --chat ID "MESSAGE"` goes on with it.')


def _write(path: Path, kept: KeptChats) -> None:
    documents = list(kept.documents())
    write_new(path, json_text(chats_document(documents), ensure_ascii=False))
    print(f"{len(documents)} {'chat' if len(documents) == 1 else 'chats'} written to {path}.")
