"""Answers of reads that were made before and are still true."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import cast

from appliance.cache.connection import Cache

TTL_S = 3600
MAX_ANSWER_BYTES = 1024 * 1024


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


def _name(person_id: int, generation: int, question: str) -> str:
    # A question is an address with parameters of any length and may hold any character.
    digest = hashlib.sha256(question.encode(errors="surrogatepass")).hexdigest()
    return f"hb:answer:{person_id}:{generation}:{digest}"
