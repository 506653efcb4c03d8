"""Care for what the appliance stands on: uploads that wait, tables, caches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from appliance.cache.answers import AnswerCache
from appliance.domain.job import JobResult, Outcome
from appliance.foundation.clock import Clock
from appliance.services.uploads import Uploads
from appliance.storage import jobs, series, upkeep
from appliance.storage.database import Database

TABLES_JOB = "check_tables"  # the name in the table of jobs, under which the size before is found again
LONG_WAIT = timedelta(minutes=15)
# Autovacuum does this by itself where it runs; below these numbers it rightly takes its time.
FEWEST_ROWS = 1_000
STALE_SHARE = 0.2
FEWEST_DEAD = 100_000
DEAD_SHARE = 0.4
FULL_SHARE = 0.9


class Care:
    """Looks after uploads that wait, tables and caches."""

    def __init__(self, database: Database, answers: AnswerCache, clock: Clock, uploads: Uploads) -> None:
        self._database = database
        self._answers = answers
        self._clock = clock
        self._uploads = uploads

    def pick_up_uploads(self) -> JobResult:
        """Wake this instance's worker when uploads wait that nobody works on."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            waiting, oldest, given_up = upkeep.waiting_uploads(connection, now)
        result = {"waiting": waiting, "given_up": given_up}
        if not waiting:
            return JobResult("No upload waits.", result)
        self._uploads.on_deferred()
        if oldest is not None and now - oldest > LONG_WAIT:
            return JobResult(
                f"{waiting} uploads wait to be worked on, the oldest since {oldest:%Y-%m-%d %H:%M} UTC.",
                result,
                Outcome.FOUND,
            )
        return JobResult(f"{waiting} uploads wait and are taken up.", result)

    def trim_caches(self) -> JobResult:
        """Remove answers no one can find any more, and look how full the cache is.

        An answer is found only under the generation it was made for; one of a generation that is past takes up
        memory until its hour is over, and newer ones must not give way to it.
        """
        with self._database.transaction() as connection:
            current = series.all_generations(connection)
        tidied = self._answers.trim(current)
        if tidied is None:
            return JobResult("There is no cache to look after now; answers are made anew each time.")
        result = {
            "answers": tidied.kept,
            "removed": tidied.removed,
            "used_bytes": tidied.used_bytes,
            "limit_bytes": tidied.limit_bytes,
        }
        if tidied.limit_bytes and tidied.used_bytes > tidied.limit_bytes * FULL_SHARE:
            return JobResult(
                f"The cache is {tidied.used_bytes / tidied.limit_bytes:.0%} full.", result, Outcome.FOUND
            )
        return JobResult(
            f"{tidied.removed} answers that were past are removed, {tidied.kept} are held.", result
        )

    def check_tables(self) -> JobResult:
        """Let Postgres look anew at tables it knows badly, and tell those that vacuum does not keep up with."""
        with self._database.transaction() as connection:
            before = jobs.latest_done(connection, [TABLES_JOB]).get(TABLES_JOB)
            states = upkeep.table_states(connection)
            stale = [state.name for state in states if _is_stale(state)]
            upkeep.analyze(connection, stale)
            size = upkeep.database_bytes(connection)
        dead = [state.name for state in states if state.dead > max(FEWEST_DEAD, state.live * DEAD_SHARE)]
        result: dict[str, Any] = {
            "database_bytes": size,
            "grown_bytes": size - before.result["database_bytes"] if before else None,
            "analyzed": stale,
            "never_analyzed": [state.name for state in states if state.analyzed_at is None and state.live],
            "dead_rows": {state.name: state.dead for state in states if state.dead},
            "table_bytes": {state.name: state.bytes for state in states},
        }
        if dead:
            return JobResult(
                f"Postgres does not keep up with clearing {', '.join(dead)}; see that autovacuum is on.",
                result,
                Outcome.FOUND,
            )
        return JobResult(f"The tables are in order; {len(stale)} were looked at anew.", result)


def _is_stale(state: Row[Any]) -> bool:
    if max(state.live, state.changed) < FEWEST_ROWS:
        return False
    return state.analyzed_at is None or state.changed > state.live * STALE_SHARE
