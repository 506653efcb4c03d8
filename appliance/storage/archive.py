"""Everything of one person out of the tables: row by row for an archive, and all of it at once for removal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import zstandard
from sqlalchemy import Connection, Table, delete, func, select, text

from appliance.domain.upload import UploadState
from appliance.storage.database import lift_time_limits, lock_person
from appliance.storage.tables import api_key, metadata, near_miss, person, upload

ROWS_AT_ONCE = 2_000
_CHUNK = 1 << 20

# Not in an archive, and why. Everything else with a `person_id` is.
LEFT_OUT = {
    "session": "logs somebody in",
    "login_link": "logs somebody in",
    "rollup": "made from the samples, whenever they are read again",
}
_SECRETS = {"password_hash", "secret_hash"}
# Samples say by name what they are of, so that a line is understood without the tables beside it.
_OF = (
    " SELECT series.metric, source.name AS source, series.grain, series.unit, row.* FROM {table} AS row"
    " JOIN series USING (person_id, series_id) JOIN source USING (person_id, source_id)"
    " WHERE row.person_id = :person ORDER BY row.series_id, row.start_at"
)
_NAMED = {"sample", "revision"}


def tables_of_people() -> list[Table]:
    """Return every table that holds something of a person, those that others refer to first."""
    return [table for table in metadata.sorted_tables if "person_id" in table.c]


def hold(connection: Connection, person_id: int) -> bool:
    """Keep everybody else from writing anything of this person until the transaction ends; whether they are there.

    In the order in which an upload takes its locks. Does not wait for an upload that is being worked on: raises
    `DatabaseUnavailable` then, and the caller comes again. Afterwards nothing is ended for its length.
    """
    under_way = (
        select(upload.c.upload_id)
        .where(upload.c.person_id == person_id, upload.c.state == UploadState.RECEIVED)
        .with_for_update(nowait=True)
    )
    connection.execute(under_way).all()
    lock_person(connection, person_id)
    found = connection.execute(
        select(person.c.person_id).where(person.c.person_id == person_id).with_for_update()
    ).one_or_none()
    connection.execute(under_way).all()  # and those that came until the person was held
    lift_time_limits(connection)
    return found is not None


def lines(connection: Connection, table: Table, person_id: int) -> Iterator[str]:
    """Yield every row of this person as one JSON object, without secrets and without the bytes of uploads."""
    if table.name in _NAMED:
        query = _OF.format(table=table.name)
    else:
        columns = [
            f'"{column.name}"'
            for column in table.c
            if column.name not in _SECRETS and (table, column.name) != (upload, "body")
        ]
        order = ", ".join(f'"{column.name}"' for column in table.primary_key)
        query = f'SELECT {", ".join(columns)} FROM "{table.name}" WHERE person_id = :person ORDER BY {order}'  # noqa: S608  names of our own tables
    rows = connection.execute(
        text(f"SELECT row_to_json(told)::text FROM ({query}) AS told"),  # noqa: S608  fixed text only
        {"person": person_id},
        execution_options={"stream_results": True, "yield_per": ROWS_AT_ONCE},
    )
    for (line,) in rows:
        yield line


def bodies(connection: Connection, person_id: int) -> Iterator[tuple[Any, Iterator[bytes]]]:
    """Yield every upload whose bytes are kept (`upload_id`, `content_type`, `content_encoding`) with its bytes."""
    kept = connection.execute(
        select(upload.c.upload_id, upload.c.content_type, upload.c.content_encoding)
        .where(upload.c.person_id == person_id, upload.c.body.is_not(None))
        .order_by(upload.c.upload_id)
    ).all()
    for row in kept:
        packed = connection.execute(
            select(upload.c.body).where(upload.c.person_id == person_id, upload.c.upload_id == row.upload_id)
        ).scalar_one()
        yield row, _unpacked(packed)


def count_uploads(connection: Connection, person_id: int) -> int:
    """Return how many uploads of this person are known."""
    return connection.execute(
        select(func.count()).select_from(upload).where(upload.c.person_id == person_id)
    ).scalar_one()


def remove(connection: Connection, person_id: int) -> list[str]:
    """Remove everything of this person; return the public ids of the keys that are gone with them."""
    keys = connection.execute(
        select(api_key.c.key_id, api_key.c.public_id).where(api_key.c.person_id == person_id)
    ).all()
    connection.execute(delete(near_miss).where(near_miss.c.key_id.in_([key.key_id for key in keys])))
    for table in reversed(tables_of_people()):
        connection.execute(delete(table).where(table.c.person_id == person_id))
    return [key.public_id for key in keys]


def _unpacked(packed: bytes) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        while chunk := reader.read(_CHUNK):
            yield chunk
