"""Answers of reads that were made before and are still true."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast

import redis

from appliance.cache.connection import Cache

TTL_S = 3600
MAX_ANSWER_BYTES = 1024 * 1024
LOOKED_THROUGH = 100_000
TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Tidied:
    """What the cache holds after tidying; a limit of 0 is none."""

    kept: int
    removed: int
    used_bytes: int
    limit_bytes: int


class AnswerCache:
    """Answers by person, generation and question.

    The generation is a number that is new whenever the person's data changed. It is part of the name, so a stale
    answer is never found again and expires by itself. `on_look` is told of every look whether it found an answer;
    without a server none does.
    """

    def __init__(self, cache: Cache, *, on_look: Callable[[bool], None] = lambda _hit: None) -> None:
        self._cache = cache
        self._on_look = on_look

    def get(self, person_id: int, generation: int, question: str) -> bytes | None:
        """Return the answer exactly as it was put at most an hour ago, or None."""
        name = _name(person_id, generation, question)
        answer = self._cache.attempt(lambda client: cast("bytes | None", client.get(name)), None)
        self._on_look(answer is not None)
        return answer

    def put(self, person_id: int, generation: int, question: str, answer: bytes) -> None:
        """Keep an answer for an hour; one over 1 MiB is not kept."""
        if len(answer) > MAX_ANSWER_BYTES:
            return
        name = _name(person_id, generation, question)
        self._cache.attempt(lambda client: client.set(name, answer, ex=TTL_S), None)

    def trim(self, current: Collection[tuple[int, int]]) -> Tidied | None:
        """Remove answers that were not made for any of these pairs of person and generation; None without a server.

        An answer put meanwhile for a newer generation may go with them; it is made again.
        """
        return self._cache.attempt(lambda client: _tidied(client, current), None)

    def forget(self, person_id: int) -> None:
        """Remove every answer about this person; without a server they are gone within an hour."""

        def sweep(client: redis.Redis) -> None:
            for name in client.scan_iter(match=f"hb:answer:{person_id}:*", count=1_000):
                client.delete(name)

        self._cache.attempt(sweep, None)


def _tidied(client: redis.Redis, current: Collection[tuple[int, int]]) -> Tidied:
    found = cast("Iterator[bytes]", client.scan_iter(match=b"hb:answer:*", count=TOGETHER))
    names = islice(found, LOOKED_THROUGH)
    kept = removed = 0
    while together := list(islice(names, TOGETHER)):
        past = [name for name in together if _made_for(name) not in current]
        if past:
            client.unlink(*past)
        removed += len(past)
        kept += len(together) - len(past)
    memory = client.info("memory")
    return Tidied(kept, removed, int(memory["used_memory"]), int(memory.get("maxmemory", 0)))


def _made_for(name: bytes) -> tuple[int, int] | None:
    try:
        _, _, person_id, generation, _ = name.split(b":")
        return int(person_id), int(generation)
    except ValueError:  # put there by another version of the house
        return None


def _name(person_id: int, generation: int, question: str) -> str:
    # A question is an address with parameters of any length and may hold any character.
    digest = hashlib.sha256(question.encode(errors="surrogatepass")).hexdigest()
    return f"hb:answer:{person_id}:{generation}:{digest}"
