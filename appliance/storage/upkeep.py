"""What upkeep asks of the database as a whole: its tables, what waits, and what has been kept long enough."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from appliance.storage.tables import (
    awake_span,
    login_link,
    metadata,
    near_miss,
    own_metrics,
    session,
    upload,
)


def waiting_uploads(connection: Connection, at: datetime) -> tuple[int, datetime | None, int]:
    """Return how many uploads a worker may take, when the oldest of them came, and how many were given up."""
    due = (upload.c.state == "received") & (upload.c.due_at <= at)
    waiting, oldest = connection.execute(
        select(func.count(), func.min(upload.c.received_at)).where(due)
    ).one()
    given_up = connection.execute(select(func.count()).where(upload.c.state == "failed")).scalar_one()
    return waiting, oldest, given_up


def people_heard_since(connection: Connection, since: datetime) -> int:
    """Return how many people have sent an upload since."""
    return int(
        connection.execute(
            select(func.count(upload.c.person_id.distinct())).where(upload.c.received_at >= since)
        ).scalar_one()
    )


def remove_bodies(
    connection: Connection,
    *,
    received_before: datetime,
    refused_before: datetime,
    known_metrics: Collection[str],
    limit: int,
) -> tuple[int, int]:
    """Remove the bytes of the oldest uploads that nothing needs any more; return how many, and their size as kept.

    Needed are those of uploads that are not settled or were given up; that told a metric nobody knows yet; that hold
    an item in quarantine, or the tracks of a record's earlier version.
    """
    removed = connection.execute(
        text(
            """
            WITH chosen AS (
                SELECT person_id, upload_id, octet_length(body) AS bytes FROM upload AS u
                WHERE body IS NOT NULL
                  AND (state IN ('processed', 'unchanged') AND received_at < :received_before
                       OR state = 'refused' AND processed_at < :refused_before AND received_at < :received_before)
                  AND metrics <@ CAST(:known AS text[])
                  AND NOT EXISTS (SELECT FROM quarantine AS q
                                  WHERE q.person_id = u.person_id AND q.upload_id = u.upload_id)
                  AND NOT EXISTS (SELECT FROM record_revision AS r
                                  WHERE r.person_id = u.person_id AND r.upload_id = u.upload_id)
                ORDER BY upload_id LIMIT :limit FOR UPDATE SKIP LOCKED
            ), emptied AS (
                UPDATE upload SET body = NULL FROM chosen
                WHERE upload.person_id = chosen.person_id AND upload.upload_id = chosen.upload_id
                RETURNING chosen.bytes
            )
            SELECT count(*), coalesce(sum(bytes), 0) FROM emptied
            """
        ),
        {
            "received_before": received_before,
            "refused_before": refused_before,
            "known": sorted(known_metrics),
            "limit": limit,
        },
    ).one()
    return int(removed[0]), int(removed[1])


def trim(connection: Connection, now: datetime, before: datetime) -> dict[str, int]:
    """Remove log-ins that are over, and notes about the appliance itself made before; return how many by table."""
    over = (
        (session, session.c.expires_at < now),
        (login_link, or_(login_link.c.expires_at < now, login_link.c.used_at < now)),
        (near_miss, near_miss.c.last_at < before),
        (own_metrics, own_metrics.c.at < before),
        (awake_span, awake_span.c.ended_at < before),
    )
    return {table.name: connection.execute(delete(table).where(gone)).rowcount for table, gone in over}


def database_bytes(connection: Connection) -> int:
    """Return the size of the whole database on disk."""
    return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())


def table_states(connection: Connection) -> list[Row[Any]]:
    """Return what Postgres counts of our tables: live and dead rows, changes and instants of vacuum and analyze."""
    return list(
        connection.execute(
            text(
                """
                SELECT relname AS name, n_live_tup AS live, n_dead_tup AS dead, n_mod_since_analyze AS changed,
                       greatest(last_analyze, last_autoanalyze) AS analyzed_at,
                       greatest(last_vacuum, last_autovacuum) AS vacuumed_at,
                       pg_total_relation_size(relid) AS bytes
                FROM pg_stat_user_tables
                WHERE schemaname = current_schema() AND relname = ANY(CAST(:ours AS text[])) ORDER BY relname
                """
            ),
            {"ours": list(metadata.tables)},
        )
    )


def analyze(connection: Connection, names: Sequence[str]) -> None:
    """Let Postgres look at tables anew, so that it plans by what they hold now."""
    for table in map(_ours, names):
        connection.execute(text(f"ANALYZE {connection.dialect.identifier_preparer.format_table(table)}"))


def keep_metrics(connection: Connection, at: datetime, instance: str, content: dict[str, float]) -> None:
    """Keep how the appliance itself was doing at an instant."""
    connection.execute(
        insert(own_metrics).values(at=at, instance=instance, content=content).on_conflict_do_nothing()
    )


def metrics_between(
    connection: Connection,
    start: datetime | None,
    end: datetime | None,
    *,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Row[Any]]:
    """Return what was kept in [start, end), ordered by instant and instance, beyond the place `after`."""
    query = select(own_metrics).order_by(own_metrics.c.at, own_metrics.c.instance).limit(limit)
    if start is not None:
        query = query.where(own_metrics.c.at >= start)
    if end is not None:
        query = query.where(own_metrics.c.at < end)
    if after is not None:
        at, instance = after
        query = query.where(
            or_(
                own_metrics.c.at > at,
                (own_metrics.c.at == at) & (own_metrics.c.instance > instance),
            )
        )
    return list(connection.execute(query))


def numbers_between(
    connection: Connection, names: Sequence[str], start: datetime, end: datetime
) -> Sequence[Row[Any]]:
    """Return `at`, `instance`, the full name and the number of these metrics in [start, end), in order of time.

    An instant at which none of them was counted yet is one row without a name.
    """
    return connection.execute(
        text(
            """
            SELECT at, instance, told.key AS name, CAST(told.value AS double precision) AS number
            FROM own_metrics LEFT JOIN LATERAL jsonb_each_text(content) AS told
                ON split_part(told.key, '{', 1) = ANY(CAST(:names AS text[]))
            WHERE at >= :start AND at < :end
            ORDER BY at, instance
            """
        ),
        {"names": list(names), "start": start, "end": end},
    ).all()


def _ours(name: str) -> Table:
    return metadata.tables[name]
