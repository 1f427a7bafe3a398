"""A hostile afternoon: strangers send everything that faults.md and the fuzzers know, while honest visitors of the same server chat on."""

from __future__ import annotations

import argparse
import io
import json
import random
import statistics
import struct
import threading
import time
import urllib.error
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import fuzzing
from benchmarks.fuzz_readers import readers
from benchmarks.served import Server, Visitor, handlers_of, serving
from benchmarks.visitors import QUESTIONS, RECIPES

#: Seconds that it lasts unless ``--budget`` says otherwise; honest visitors; their answers come within so many times the usual time.
LASTS, HONEST, SLOWER = 3_600.0, 3, 2.0
#: Attacks a second, of each of so many strangers.
PACE, STRANGERS = 4.0, 2
#: Answers of honest visitors before it begins, which say what is usual.
USUAL = 60


def hostile(options: argparse.Namespace) -> bool:
    """Print what came of it; whether every honest answer came, right, in time."""
    lasts = options.budget or LASTS
    with serving("--public") as server:
        handlers = handlers_of(server.address)
        asked = [(question, recipe) for question in QUESTIONS for recipe in RECIPES]
        wanted = {each: Visitor(server.address, handlers).chat(*each) for each in asked}
        usual, _, _ = _honest(server, handlers, wanted, lambda taken: taken < USUAL)
        begun, size = time.monotonic(), server.resident
        attacks: Counter[str] = Counter()
        outcomes: Counter[str] = Counter()
        ended = threading.Event()
        strangers = [
            threading.Thread(target=_attack, args=(server, handlers, seed, ended, attacks, outcomes), daemon=True)
            for seed in range(STRANGERS)
        ]
        for each in strangers:
            each.start()
        seconds, wrong, lost = _honest(server, handlers, wanted, lambda _: time.monotonic() - begun < lasts)
        ended.set()
        for each in strangers:
            each.join(60)
        _report(server, usual, seconds, wrong, lost, attacks, outcomes, size, time.monotonic() - begun)
        slower = statistics.median(seconds) / statistics.median(usual)
        return not wrong and not lost and slower <= SLOWER and server.process.poll() is None


def _report(
    server: Server,
    usual: list[float],
    seconds: list[float],
    wrong: list[str],
    lost: list[str],
    attacks: Counter[str],
    outcomes: Counter[str],
    size: float,
    lasted: float,
) -> None:
    middle, worst = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    before = statistics.median(usual)
    print(f"{lasted / 60:.0f} min, {sum(attacks.values()):,} attacks: {dict(attacks)}")
    print(f"what was answered to them: {dict(outcomes.most_common(12))}")
    print(
        f"{len(seconds):,} answers of {HONEST} honest visitors; wrong {len(wrong)} {wrong[:3]}; lost {len(lost)} {lost[:3]}"
    )
    print(
        f"median {middle:.2f} s, 99 % within {worst:.2f} s; before the attack {before:.2f} s: {middle / before:.2f} times"
    )
    print(
        f"memory {size:.0f} → {server.resident:.0f} MB; tracebacks in the log: {dict(_tracebacks(server).most_common(8))}",
        flush=True,
    )


def _tracebacks(server: Server) -> Counter[str]:
    """How many there are in the log, by what the last line of each says."""
    parts = server.log.split("Traceback (most recent call last):")[1:]
    ends = (next((line for line in part.splitlines()[1:] if line and not line.startswith(" ")), "") for part in parts)
    return Counter(end[:100] for end in ends)


def _honest(
    server: Server, handlers: dict[str, int], wanted: dict[tuple[str, str], str], go_on: Callable[[int], bool]
) -> tuple[list[float], list[str], list[str]]:
    """Visitors that ask, wait for the answer, read it for a moment, and ask again: seconds, wrong answers, lost answers."""
    seconds: list[float] = []
    wrong: list[str] = []
    lost: list[str] = []

    def chat(seed: int) -> None:
        chance, visitor = random.Random(seed), Visitor(server.address, handlers)
        while go_on(len(seconds)):
            asked = chance.choice(list(wanted))
            begun = time.monotonic()
            try:
                answer = visitor.chat(*asked)
            except (OSError, RuntimeError) as error:
                lost.append(f"{asked}: {error}")
                continue
            seconds.append(time.monotonic() - begun)
            if answer != wanted[asked]:
                wrong.append(f"{asked}: {answer!r}")
            time.sleep(chance.uniform(0.2, 1.0))

    threads = [threading.Thread(target=chat, args=(seed,)) for seed in range(HONEST)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return seconds, wrong, lost


# --------------------------------------------------------------------------------------------------------------- attacks


def _attack(
    server: Server,
    handlers: dict[str, int],
    seed: int,
    ended: threading.Event,
    attacks: Counter[str],
    outcomes: Counter[str],
) -> None:
    spoiler = fuzzing.Spoiler(seed)
    kinds = {
        "links": _links, "handlers": _handlers, "bodies": _bodies, "recipes": _recipes, "files": _files, "vanishing": _vanishing,
        "long chats": _long_chats, "others' work": _others, "hosts": _hosts, "sessions": _sessions, "/v1": _completions,
        "doors": _doors, "floods": _floods,
    }  # fmt: skip
    while not ended.wait(spoiler.random.expovariate(PACE)):
        name = spoiler.random.choice(list(kinds))
        attacks[name] += 1
        try:
            kinds[name](Visitor(server.address, handlers), spoiler)
            outcomes["taken"] += 1
        except urllib.error.HTTPError as error:
            outcomes[f"{error.code}"] += 1
        except (OSError, RuntimeError, ValueError) as error:
            outcomes[type(error).__name__] += 1


def _links(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    with TemporaryDirectory() as folder:
        make, _ = readers(Path(folder))["links"]
        link = make(spoiler).decode("ascii", "ignore").rpartition("?")[2]
    visitor.get("?" + "".join(letter for letter in link if letter.isprintable() and letter not in " #"))
    visitor.call("tab", (), {"link": link})


def _handlers(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    """Any handler with anything at all."""
    said = spoiler.document(
        {"message": "Hi", "recipe": "1*truth", "column": 0, "name": "x", "strength": 1.0, "kind": "slide"}
    )
    data = spoiler.document([None, "x", "1", 0, {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}])
    visitor.call(spoiler.random.choice(list(visitor.handlers)), data if isinstance(data, list) else [data], said)


def _bodies(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    body = json.dumps({"data": ["Hi", "", ""], "fn_index": 0, "session_hash": "x"}).encode()
    visitor.post(
        spoiler.random.choice(["gradio_api/run/predict", "gradio_api/queue/join", "gradio_api/call/chat"]),
        spoiler.random.choice([spoiler.blob(body), b"[" * 100_000, b"{}", b'{"data": null}']),
    )


def _recipes(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    recipe = spoiler.random.choice(
        [
            "+".join(["1*truth[0-9999]"] * 3_000),
            "1*truth[" + ",".join(["0-9999"] * 10_000) + "]",
            "+".join(["!refusal"] * 60),
            "9" * 5_000,
        ]
    )
    visitor.chat(spoiler.random.choice(["Hi", "x" * 20_000, "\u0000", "🏴" * 5_000]), recipe)


def _files(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    header = json.dumps({"v": {"dtype": "F32", "shape": [10**9, 0], "data_offsets": [0, 0]}}).encode()
    blob, name = spoiler.random.choice(
        [
            (struct.pack("<Q", len(header)) + header, "rows.safetensors"),
            (_view(), "view.pt"),
            (spoiler.random.randbytes(3_000), "x.gguf"),
        ]
    )
    path = visitor.upload(name, blob)
    visitor.call(
        "brought",
        [{"path": path, "meta": {"_type": "gradio.FileData"}}, f"x{spoiler.random.getrandbits(32)}", "dpo", "2", 1.0],
    )


def _view() -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(torch.ones(1).expand(10**7, 10**7), file)
    return file.getvalue()


def _vanishing(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    visitor.join("send", (), {"message": spoiler.random.choice(QUESTIONS)})
    visitor.listen(spoiler.random.randint(0, 3))


def _long_chats(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    document = {
        "tiller": 1, "family": "skiff", "columns": [{"checkpoint": "dpo", "recipe": "1*truth"}] * 4, "selected": 0, "sampling": {},
        "lens": "changed", "tab": "chat", "system": "x " * 9_000,
        "turns": [{"user": "Hi", "replies": ["Yes"] * 4}] * spoiler.random.choice([499, 15_000]),
    }  # fmt: skip
    visitor.get(f"?{_packed(document)}")
    visitor.join("send", (), {"message": "And now?", "link": _packed(document)})
    visitor.listen(1)


def _packed(document: dict[str, Any]) -> str:
    return "s=" + urlsafe_b64encode(zlib.compress(json.dumps(document).encode(), 9)).decode().rstrip("=")


def _others(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    """What belongs to the owner, or to somebody else."""
    names = [
        name
        for name in visitor.handlers
        if any(part in name for part in ("delete", "cancel", "learn", "keep", "close", "open"))
    ]
    visitor.call(
        spoiler.random.choice(names),
        ["shipped/dpo/direction.truth"],
        {"name": "truth", "entry": "shipped/dpo/direction.truth"},
    )


def _hosts(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    host = spoiler.random.choice(["evil.example", "127.0.0.1.evil.example", "localhost:1@evil.example", "[::1]evil"])
    if visitor.get("", {"Host": host}) == 200:
        raise ValueError("a page under another name")


def _sessions(visitor: Visitor, _spoiler: fuzzing.Spoiler) -> None:
    for _ in range(5):
        Visitor(visitor.address, visitor.handlers).call("status")


def _completions(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    """Requests of other chat programs, spoilt."""
    chance = spoiler.random
    chat = {
        "model": chance.choice(["skiff/dpo", "skiff/dpo:40*refusal", "skiff/nope", "../../etc"]),
        "messages": [{"role": "user", "content": "Hi"}] * chance.choice([1, 3, 2_000]),
        "max_tokens": chance.choice([1, 10**9, -1]), "n": chance.choice([1, 10**6]), "temperature": 1e300, "logit_bias": {"5": 1e9},
    }  # fmt: skip
    raw = {
        "model": "skiff/base", "prompt": chance.choice(["x" * 200_000, [[1] * 50_000] * 50, [10**12], [""] * 5_000]), "echo": True,
        "logprobs": chance.choice([5, 10**6]), "stop": ["x"] * 10_000, "stream": chance.choice([True, False]),
    }  # fmt: skip
    path, body = chance.choice(
        [("v1/chat/completions", chat), ("v1/completions", raw), ("v1/steering", chat), ("v1/tokenize", raw)]
    )
    visitor.post(path, spoiler.document(body) if chance.random() < 0.5 else body)


def _doors(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    """The owner's page with guessed passwords, families that nobody listed, files outside."""
    chance = spoiler.random
    guess = b64encode(f"owner:{chance.random()}".encode()).decode()
    status = visitor.get(
        chance.choice(["owner", "owner/", "family/", "family/%2e%2e/%2e%2e/etc/passwd", "gradio_api/file=/etc/passwd"]),
        {"Authorization": f"Basic {guess}"},
    )
    if status >= 400:
        raise ValueError("a closed door")
    handlers = [name for name in visitor.handlers if "open" in name or "fetch" in name or "get" in name]
    visitor.call(chance.choice(handlers), (), {"text": chance.choice(["/etc", "../x.gguf", "maker/" + "x" * 90, ""])})


def _floods(visitor: Visitor, spoiler: fuzzing.Spoiler) -> None:
    """Bodies that are too large, or promise more than comes."""
    path = spoiler.random.choice(["gradio_api/run/predict", "gradio_api/upload", "v1/completions", "nowhere"])
    length = spoiler.random.choice([10**12, 90_000_000, 50_000])
    visitor.post(path, b"[" * 50_000, {"Content-Length": str(length)}, wait=10)
