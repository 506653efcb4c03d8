"""Upkeep jobs: whose turn it is, and what each run did."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, text, update

from appliance.domain.job import Outcome, Run
from appliance.storage.tables import job_run

_LOCK_SPACE = 0x48C


def take_turn(connection: Connection, name: str) -> bool:
    """Take the one turn there is for a job until this transaction ends; False while another has it."""
    # Waiting idle for an hour's backup is what this connection is for; a server may be set to end such.
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    number = zlib.crc32(name.encode()) - 2**31  # Postgres takes two signed integers
    taken = connection.execute(
        text("SELECT pg_try_advisory_xact_lock(:space, :job)"), {"space": _LOCK_SPACE, "job": number}
    )
    return bool(taken.scalar_one())


def begin(connection: Connection, name: str, instance: str, at: datetime) -> int:
    """Write that a run has begun and return its id."""
    return int(
        connection.execute(
            insert(job_run)
            .values(name=name, instance=instance, started_at=at, outcome=Outcome.RUNNING)
            .returning(job_run.c.job_run_id)
        ).scalar_one()
    )


def finish(connection: Connection, run: Run) -> None:
    """Write what became of a run that has begun."""
    connection.execute(update(job_run).where(job_run.c.job_run_id == run.run_id).values(**_outcome(run)))


def add(connection: Connection, run: Run) -> int:
    """Write down a run that is over already and return its id."""
    return int(
        connection.execute(
            insert(job_run)
            .values(name=run.name, instance=run.instance, started_at=run.started_at, **_outcome(run))
            .returning(job_run.c.job_run_id)
        ).scalar_one()
    )


def give_up(connection: Connection, name: str, at: datetime, told: str) -> int:
    """Mark what is written as running as failed; the caller has the turn, so nobody is running it. Return how many."""
    return connection.execute(
        update(job_run)
        .where(job_run.c.name == name, job_run.c.outcome == Outcome.RUNNING)
        .values(outcome=Outcome.FAILED, finished_at=at, result={"told": told, "result": {}})
    ).rowcount


def latest(connection: Connection, names: Iterable[str]) -> dict[str, Run]:
    """Return the newest run of each of these jobs that ever ran."""
    return _newest(connection, names, "")


def latest_done(connection: Connection, names: Iterable[str]) -> dict[str, Run]:
    """Return the newest run of each of these jobs that did its work."""
    return _newest(connection, names, "AND outcome IN ('ok', 'found')")


def _newest(connection: Connection, names: Iterable[str], condition: str) -> dict[str, Run]:
    # By the order they were written in: the clock may have been set back since, or another instance's be ahead.
    newest = text(
        f"""
        SELECT run.* FROM unnest(CAST(:names AS text[])) AS wanted(name) CROSS JOIN LATERAL (
            SELECT * FROM job_run WHERE job_run.name = wanted.name {condition}
            ORDER BY job_run_id DESC LIMIT 1
        ) AS run
        """  # noqa: S608  fixed text only
    )
    rows = connection.execute(newest, {"names": list(names)})
    return {row.name: _run(row) for row in rows}


def find(connection: Connection, run_id: int) -> Run | None:
    """Return one run."""
    row = connection.execute(select(job_run).where(job_run.c.job_run_id == run_id)).one_or_none()
    return _run(row) if row else None


def first_start(connection: Connection) -> datetime | None:
    """Return when the first run began of all that are kept."""
    return connection.execute(
        select(job_run.c.started_at).order_by(job_run.c.job_run_id).limit(1)
    ).scalar_one_or_none()


def runs(connection: Connection, name: str, *, before: int | None, limit: int) -> list[Run]:
    """Return the runs of a job, newest first, those with an id below `before`."""
    query = select(job_run).where(job_run.c.name == name)
    if before is not None:
        query = query.where(job_run.c.job_run_id < before)
    return [_run(row) for row in connection.execute(query.order_by(job_run.c.job_run_id.desc()).limit(limit))]


def trim(connection: Connection, before: datetime) -> int:
    """Remove runs that began earlier and return how many."""
    return connection.execute(
        delete(job_run).where(job_run.c.started_at < before, job_run.c.outcome != Outcome.RUNNING)
    ).rowcount


def _outcome(run: Run) -> dict[str, Any]:
    return {
        "outcome": run.outcome,
        "finished_at": run.finished_at,
        "result": {"told": run.told, "result": run.result},
    }


def _run(row: Row[Any]) -> Run:
    return Run(
        row.job_run_id,
        row.name,
        row.instance,
        row.started_at,
        row.finished_at,
        Outcome(row.outcome),
        row.result.get("told", ""),
        row.result.get("result", {}),
    )
