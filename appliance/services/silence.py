"""Whether each phone is heard as usual; and when the computer was awake to hear it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from appliance.domain.job import JobResult, Outcome
from appliance.domain.rhythm import is_silent, merged, usual_gap
from appliance.foundation.clock import Clock
from appliance.storage import silence
from appliance.storage.database import Database
from appliance.storage.silence import Rhythm

# A rhythm is learned from this long; what told nothing for as long is forgotten.
HISTORY = timedelta(days=60)
# Noted every minute; a longer pause than this was sleep, or the program was not running.
LONGEST_PAUSE = timedelta(minutes=3)


class Silence:
    """Learns the rhythm of each automation and tells who has fallen silent."""

    def __init__(self, database: Database, clock: Clock, instance: str) -> None:
        self._database = database
        self._clock = clock
        self._instance = instance

    def note_awake(self) -> JobResult:
        """Write that the appliance runs just now."""
        with self._database.transaction() as connection:
            woke = silence.stay_awake(connection, self._instance, self._clock.now(), LONGEST_PAUSE)
        return JobResult("Awake after a pause." if woke else "Awake.")

    def check(self) -> JobResult:
        """Judge every automation of every open key by its own rhythm.

        `result` counts the automations `watched` (their rhythm is known) and `silent`, and names the keys that
        fell silent or were heard again since the check before.
        """
        now = self._clock.now()
        with self._database.transaction() as connection:
            awake = merged(silence.awake_since(connection, now - HISTORY))
            before = silence.rhythms(connection)
            found = []
            for news in silence.news_since(connection, now - HISTORY, now):
                usual = usual_gap(news.at, awake)
                if usual is None:
                    continue
                since = None
                if is_silent(news.at[-1], usual, now, awake):
                    known = before.get(news[:3])
                    since = (known and known.silent_since) or now
                found.append(Rhythm(*news[:4], news.at[-1], usual, since))
            silence.replace(connection, found, now)
        silent = {one[:3] for one in found if one.silent_since}
        was_silent = {key for key, one in before.items() if one.silent_since}
        heard = {one[:3] for one in found} - silent
        result = {
            "watched": len(found),
            "silent": len(silent),
            "fell_silent": _keys(silent - was_silent),
            "heard_again": _keys(was_silent & heard),
        }
        if not silent:
            return JobResult("Every phone is heard as usual.", result)
        keys = ", ".join(str(key_id) for key_id in _keys(silent))
        return JobResult(
            f"Nothing new for longer than usual from {len(silent)} of {len(found)} automations (keys: {keys}).",
            result,
            Outcome.FOUND,
        )

    def silent_keys(self) -> list[tuple[str, datetime]]:
        """Return the name of every key with a silent automation, and since when; the longest silent first."""
        with self._database.transaction() as connection:
            return silence.silent_keys(connection)

    def of_person(self, person_id: int) -> list[Row[Any]]:
        """Return the rhythm of each automation of a person, those fallen silent first."""
        with self._database.transaction() as connection:
            return silence.of_person(connection, person_id)


def _keys(automations: Iterable[tuple[int, int, str]]) -> list[int]:
    return sorted({key_id for _, key_id, _ in automations})
