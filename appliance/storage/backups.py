"""What a backup says about the database it was made of, so that a restored one can be held against it.

Everything here asks the database itself which tables there are: a backup may be of an older schema than ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy import Connection, text

from appliance.storage.database import lift_time_limits

# Of person data, the tables whose rows are told person by person.
_BY_PERSON = ("sample", "upload")


class DayDigest(NamedTuple):
    """One day of one metric of one person, and the digest of everything held of it."""

    person_id: int
    metric: str
    day: date
    digest: str


def look_at_one_moment(connection: Connection) -> None:
    """Let a transaction that has asked nothing yet see one moment for as long as it takes, and change nothing."""
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    lift_time_limits(connection)


def export_snapshot(connection: Connection) -> str:
    """Return the name under which pg_dump sees the same moment, while this transaction lasts."""
    return str(connection.execute(text("SELECT pg_export_snapshot()")).scalar_one())


def revision(connection: Connection) -> str | None:
    """Return the version of the schema, or None when there is none."""
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def size_bytes(connection: Connection) -> int:
    """Return how much room the database takes."""
    return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def counts(connection: Connection) -> dict[str, int]:
    """Return the rows of every table, and of samples and uploads by person too, as `sample of person 1`."""
    names = connection.execute(
        text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename")
    ).scalars()
    found: dict[str, int] = {}
    for name in names.all():
        if name in _BY_PERSON:
            rows = connection.execute(
                text(f"SELECT person_id, count(*) FROM {name} GROUP BY person_id ORDER BY person_id")  # noqa: S608  one of two names of ours
            ).all()
            found[name] = sum(count for _, count in rows)
            found |= {f"{name} of person {person_id}": count for person_id, count in rows}
        else:
            quoted = '"' + name.replace('"', '""') + '"'
            found[name] = int(connection.execute(text(f"SELECT count(*) FROM {quoted}")).scalar_one())  # noqa: S608  quoted
    return found


def random_days(connection: Connection, count: int) -> list[DayDigest]:
    """Return up to this many days of any person and metric, with their digests."""
    chosen = connection.execute(
        text("SELECT person_id, metric, day FROM rollup ORDER BY random() LIMIT :count"), {"count": count}
    ).all()
    return [
        DayDigest(
            row.person_id, row.metric, row.day, day_digest(connection, row.person_id, row.metric, row.day)
        )
        for row in chosen
    ]


def day_digest(connection: Connection, person_id: int, metric: str, day: date) -> str:
    """Return the digest (SHA-256) of a day's samples and its rollup; it is the same on every server."""
    connection.execute(text("SET LOCAL extra_float_digits = 1"))
    return str(
        connection.execute(_DAY_DIGEST, {"person": person_id, "metric": metric, "day": day}).scalar_one()
    )


_DAY_DIGEST = text("""
    WITH told AS (
        SELECT row(series_id, extract(epoch FROM start_at), s.utc_offset, s.duration, s.value, s.min, s.max)::text AS line
        FROM sample AS s JOIN series USING (person_id, series_id)
        WHERE person_id = :person AND metric = :metric
          AND start_at >= CAST(:day AS date) - interval '1 day' AND start_at < CAST(:day AS date) + interval '2 days'
          AND date((start_at AT TIME ZONE 'UTC') + s.utc_offset * interval '1 second') = :day
        UNION ALL
        SELECT row(utc_offset, value, min, max, count, hour_value, hour_min, hour_max, hour_count,
                   ARRAY(SELECT extract(epoch FROM at) FROM unnest(hour_start) WITH ORDINALITY AS h(at, n) ORDER BY n))::text
        FROM rollup WHERE person_id = :person AND metric = :metric AND day = :day
    )
    SELECT encode(sha256(convert_to(coalesce(string_agg(line, E'\\n' ORDER BY line COLLATE "C"), ''), 'UTF8')), 'hex')
    FROM told
""")


def people(connection: Connection) -> int:
    """Return how many people the database knows; 0 when it has no tables yet."""
    if connection.execute(text("SELECT to_regclass('person')")).scalar_one() is None:
        return 0
    return int(connection.execute(text("SELECT count(*) FROM person")).scalar_one())


def holds_uploads(connection: Connection) -> bool:
    """Whether anything was ever taken in."""
    return bool(connection.execute(text("SELECT EXISTS (SELECT FROM upload)")).scalar_one())


def begin_another_life(connection: Connection) -> None:
    """Make a restored database's own: what was logged in is not, and no cached answer of the life before is found.

    Generations go on from the present in µs since 1970, a number that no life before can have drawn.
    """
    connection.execute(
        text(
            "SELECT setval('generation', greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint,"
            " (SELECT last_value FROM generation)))"
        )
    )
    connection.execute(text("DELETE FROM session"))
    connection.execute(text("DELETE FROM login_link"))


def analyze(connection: Connection) -> None:
    """Let the planner know what is in a database that was just filled."""
    lift_time_limits(connection)
    connection.execute(text("ANALYZE"))


def differences(told: dict[str, int], found: dict[str, int]) -> Sequence[str]:
    """Return a sentence for each count that is not what was told."""
    return [
        f"{name} has {found.get(name, 0):,} rows and should have {told.get(name, 0):,}"
        for name in sorted(told.keys() | found.keys())
        if told.get(name, 0) != found.get(name, 0)
    ]
