"""Uploads: the bytes as they came, how far they have come, and the receipt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import zstandard
from sqlalchemy import (
    ARRAY,
    Connection,
    Select,
    Text,
    cast,
    false,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from appliance.domain.localday import microseconds, midnight
from appliance.domain.upload import (
    IMPORTED,
    Advice,
    Automation,
    Counts,
    ItemError,
    Receipt,
    Upload,
    UploadState,
)
from appliance.storage.among import among
from appliance.storage.tables import upload

ZSTD_LEVEL = (
    1  # one body in ten milliseconds; higher levels save little on JSON and cost the phone's patience
)

_COLUMNS = (
    upload.c.person_id,
    upload.c.upload_id,
    upload.c.key_id,
    upload.c.request_id,
    upload.c.received_at,
    upload.c.state,
    upload.c.content_type,
    upload.c.content_encoding,
    upload.c.size_bytes,
    upload.c.automation_name,
    upload.c.automation_id,
    upload.c.automation_aggregation,
    upload.c.automation_period,
    upload.c.session_id,
)
_RECEIPT = (
    upload.c.received,
    upload.c.stored,
    upload.c.revised,
    upload.c.unchanged,
    upload.c.superseded,
    upload.c.quarantined,
    upload.c.kinds,
    upload.c.errors,
    upload.c.advice,
    upload.c.failure,
    upload.c.processed_at,
    upload.c.processing_ms,
)


LONGEST_PUT_OFF = timedelta(days=2)

# Replays add one each; nobody looks further back.
MOST_ATTEMPTS = 20

Attempts = dict[str, dict[str, Any]]  # as `foundation.steps` makes them, by a name that sorts by time


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which uploads are wanted; what is None does not matter. An empty automation name is one that told no name."""

    key_id: int | None = None
    state: UploadState | None = None
    automation_name: str | None = None


@dataclass(frozen=True, slots=True)
class KeptTrace:
    """What is kept of an upload's way."""

    person_id: int
    upload_id: int
    request_id: str
    state: str
    attempts: Attempts


@dataclass(frozen=True, slots=True)
class Settled:
    """An upload with its receipt, as looked up later."""

    upload: Upload
    receipt: Receipt
    failure: str | None
    processed_at: datetime | None


def receive(
    connection: Connection,
    *,
    person_id: int,
    key_id: int | None,
    request_id: str,
    received_at: datetime,
    due_at: datetime | None,
    content_type: str,
    content_encoding: str,
    automation: Automation,
    body: bytes,
) -> Upload:
    """Keep the exact bytes. They are durable once the transaction is committed. Without `due_at` no worker takes it."""
    values: dict[str, Any] = {
        "person_id": person_id,
        "key_id": key_id,
        "request_id": request_id,
        "received_at": received_at,
        "state": UploadState.RECEIVED,
        "content_type": content_type,
        "content_encoding": content_encoding,
        "size_bytes": len(body),
        "automation_name": automation.name,
        "automation_id": automation.automation_id,
        "automation_aggregation": automation.aggregation,
        "automation_period": automation.period,
        "session_id": automation.session_id,
    }
    row = connection.execute(
        insert(upload)
        .values(
            **values,
            due_at=due_at,
            body=zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body),
        )
        .returning(*_COLUMNS)
    ).one()
    return _upload(row)


def claim(connection: Connection, person_id: int, upload_id: int, *, wait: bool) -> bool:
    """Take one upload for this transaction; return False if it is settled, or another has it and we do not `wait`."""
    query = _claimable(skip=not wait).where(upload.c.person_id == person_id, upload.c.upload_id == upload_id)
    return connection.execute(query).one_or_none() is not None


def claim_due(connection: Connection, at: datetime) -> tuple[Upload, int] | None:
    """Take the upload that has been due for longest, and how often it has been taken up before.

    Those that others work on are passed over. One that is due further ahead than anything is ever put off was
    received or put off before the computer's clock was set back: its time has come as well.
    """
    due = or_(upload.c.due_at <= at, upload.c.due_at > at + LONGEST_PUT_OFF)
    query = _claimable(skip=True).where(due)
    row = connection.execute(query.order_by(upload.c.due_at, upload.c.upload_id).limit(1)).one_or_none()
    return (_upload(row), row.attempts) if row else None


def _claimable(*, skip: bool) -> Select[Any]:
    waiting = select(*_COLUMNS, upload.c.attempts).where(upload.c.state == UploadState.RECEIVED)
    return waiting.with_for_update(skip_locked=skip)


def count_attempts(
    connection: Connection, person_id: int, upload_id: int, attempts: int, due_at: datetime
) -> None:
    """Note how often a worker has taken the upload up, and when it is due again unless it is settled before."""
    _write_waiting(connection, person_id, upload_id, attempts=attempts, due_at=due_at)


def body_of(connection: Connection, person_id: int, upload_id: int) -> bytes | None:
    """Return the exact bytes as they came, or None when there are none (any more)."""
    packed = connection.execute(
        select(upload.c.body).where(upload.c.person_id == person_id, upload.c.upload_id == upload_id)
    ).scalar_one_or_none()
    return None if packed is None else zstandard.ZstdDecompressor().decompress(packed)


def drop_body(connection: Connection, person_id: int, upload_id: int) -> None:
    """Keep an upload's bytes no longer, so that no replay reads them again."""
    _write(connection, person_id, upload_id, body=None)


def keep_instead(connection: Connection, person_id: int, upload_id: int, body: bytes) -> None:
    """Keep other bytes of an upload than it began with: what of an import was set aside."""
    packed = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)
    _write(connection, person_id, upload_id, body=packed, size_bytes=len(body))


def settle(
    connection: Connection,
    receipt: Receipt,
    person_id: int,
    processed_at: datetime,
    metrics: Iterable[str],
    attempt: Attempts | None = None,
) -> None:
    """Write the receipt of a processed upload, the metrics of which it told samples, and its way so far."""
    _write(
        connection,
        person_id,
        receipt.upload_id,
        state=UploadState(receipt.status),
        due_at=None,
        processed_at=processed_at,
        processing_ms=receipt.processing_ms,
        metrics=sorted(metrics),
        kinds={kind: counts.as_dict() for kind, counts in receipt.kinds.items()},
        errors=[asdict(error) for error in receipt.errors],
        advice=[asdict(advice) for advice in receipt.advice],
        failure=None,
        **_with(attempt),
        **receipt.counts.as_dict(),
    )


def refuse(
    connection: Connection,
    person_id: int,
    upload_id: int,
    why: str,
    at: datetime,
    attempt: Attempts | None = None,
) -> None:
    """Note that the body could not be opened; its bytes stay."""
    _write(
        connection,
        person_id,
        upload_id,
        state=UploadState.REFUSED,
        due_at=None,
        failure=why,
        processed_at=at,
        **_with(attempt),
    )


def postpone(
    connection: Connection,
    person_id: int,
    upload_id: int,
    why: str,
    until: datetime | None,
    attempt: Attempts | None = None,
) -> None:
    """Note that working on the upload failed, and when it is tried again; None gives it up."""
    state = UploadState.FAILED if until is None else UploadState.RECEIVED
    _write_waiting(connection, person_id, upload_id, state=state, failure=why, due_at=until, **_with(attempt))


def add_attempts(
    connection: Connection, attempts: Mapping[tuple[int, int, str], dict[str, Any]]
) -> set[tuple[int, int]]:
    """Add attempts, by person, upload and their name, to the uploads that nobody has locked.

    Return those uploads, and those that are no longer there: all but the ones to come again for. An attempt of the
    same name is replaced, and of very many the newest stay.
    """
    by_upload: dict[tuple[int, int], Attempts] = {}
    for (person_id, upload_id, name), attempt in attempts.items():
        by_upload.setdefault((person_id, upload_id), {})[name] = attempt
    rows = connection.execute(
        _ADD_ATTEMPTS,
        {
            "persons": [person_id for person_id, _ in by_upload],
            "uploads": [upload_id for _, upload_id in by_upload],
            "attempts": [json.dumps(told) for told in by_upload.values()],
            "most": MOST_ATTEMPTS,
        },
    )
    written = {(row.person_id, row.upload_id) for row in rows}
    left = by_upload.keys() - written
    if not left:
        return written
    there = select(upload.c.person_id, upload.c.upload_id).where(
        among(upload.c.upload_id, [upload_id for _, upload_id in left])
    )
    return by_upload.keys() - (left & {(row.person_id, row.upload_id) for row in connection.execute(there)})


_ADD_ATTEMPTS = text("""
    WITH told AS (
        SELECT * FROM unnest(CAST(:persons AS bigint[]), CAST(:uploads AS bigint[]), CAST(:attempts AS jsonb[]))
            AS t(person_id, upload_id, attempts)
    ), free AS (
        SELECT person_id, upload_id FROM upload JOIN told USING (person_id, upload_id)
        FOR NO KEY UPDATE OF upload SKIP LOCKED
    )
    UPDATE upload AS u
    SET trace = (
        SELECT jsonb_object_agg(newest.key, newest.value)
        FROM (
            SELECT * FROM jsonb_each(coalesce(u.trace, '{}') || told.attempts) ORDER BY key DESC LIMIT :most
        ) AS newest
    )
    FROM told JOIN free USING (person_id, upload_id)
    WHERE u.person_id = told.person_id AND u.upload_id = told.upload_id
    RETURNING u.person_id, u.upload_id
""")


def traced(
    connection: Connection,
    *,
    person_id: int | None = None,
    upload_id: int | None = None,
    request_id: str | None = None,
) -> list[KeptTrace]:
    """Return the traces of the uploads with this id, or with this request id; of one person if given."""
    query = select(
        upload.c.person_id, upload.c.upload_id, upload.c.request_id, upload.c.state, upload.c.trace
    ).order_by(upload.c.upload_id)
    for column, wanted in (
        (upload.c.person_id, person_id),
        (upload.c.upload_id, upload_id),
        (upload.c.request_id, request_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return [
        KeptTrace(row.person_id, row.upload_id, row.request_id, row.state, row.trace or {})
        for row in connection.execute(query)
    ]


def find(connection: Connection, person_id: int, upload_id: int) -> Settled | None:
    """Return one upload of this person with its receipt."""
    row = connection.execute(
        select(*_COLUMNS, *_RECEIPT).where(upload.c.person_id == person_id, upload.c.upload_id == upload_id)
    ).one_or_none()
    return _settled(row) if row else None


def listed(
    connection: Connection,
    person_id: int,
    *,
    before: int | None,
    limit: int,
    chosen: Chosen | None = None,
) -> list[Settled]:
    """Return uploads of this person, newest first, those with an id below `before`."""
    query = select(*_COLUMNS, *_RECEIPT).where(upload.c.person_id == person_id)
    for column, wanted in (
        (upload.c.key_id, chosen and chosen.key_id),
        (upload.c.state, chosen and chosen.state),
        (upload.c.automation_name, chosen and chosen.automation_name),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(upload.c.upload_id < before)
    rows = connection.execute(query.order_by(upload.c.upload_id.desc()).limit(limit))
    return [_settled(row) for row in rows]


def senders(connection: Connection, person_id: int, newest: int) -> list[tuple[int | None, str]]:
    """Return which keys and automations (by name) sent the newest uploads of a person."""
    recent = (
        select(upload.c.key_id, upload.c.automation_name)
        .where(upload.c.person_id == person_id)
        .order_by(upload.c.upload_id.desc())
        .limit(newest)
        .subquery()
    )
    rows = connection.execute(select(recent).distinct().order_by(recent.c.automation_name, recent.c.key_id))
    return [(row.key_id, row.automation_name) for row in rows]


def ids_since(connection: Connection, person_id: int, since: date | None) -> list[int]:
    """Return the settled uploads of a person whose bytes are kept, oldest first; since a day (UTC) if given."""
    query = (
        select(upload.c.upload_id)
        .where(
            upload.c.person_id == person_id,
            upload.c.body.is_not(None),
            upload.c.state != UploadState.RECEIVED,
        )
        .order_by(upload.c.upload_id)
    )
    if since is not None:
        query = query.where(upload.c.received_at >= midnight(since, 0))
    return list(connection.execute(query).scalars())


def outdone_since(
    connection: Connection, person_id: int, since: datetime, *, sleep_before: bool
) -> list[int]:
    """Return the uploads read since then that told something held already or better, and whose bytes are kept.

    With `sleep_before` also all that were read earlier and told of sleep. Not those made of imported files.
    """
    outdone = (upload.c.processed_at >= since) & (upload.c.unchanged + upload.c.superseded > 0)
    told_sleep = upload.c.kinds.has_key("sleep") if sleep_before else false()
    query = (
        select(upload.c.upload_id)
        .where(
            upload.c.person_id == person_id,
            upload.c.body.is_not(None),
            upload.c.content_type != IMPORTED,
            upload.c.state.in_([UploadState.PROCESSED, UploadState.UNCHANGED]),
            or_(outdone, told_sleep),
        )
        .order_by(upload.c.upload_id)
    )
    return list(connection.execute(query).scalars())


def add_metrics(connection: Connection, person_id: int, upload_id: int, metrics: Iterable[str]) -> None:
    """Note metrics of which an upload tells samples now that it is read better."""
    connection.execute(
        text(
            "UPDATE upload SET metrics = ARRAY(SELECT DISTINCT unnest(metrics || CAST(:new AS text[])) ORDER BY 1)"
            " WHERE person_id = :person AND upload_id = :upload AND NOT metrics @> CAST(:new AS text[])"
        ),
        {"person": person_id, "upload": upload_id, "new": sorted(metrics)},
    )


def sent_by_others(
    connection: Connection, person_id: int, automation_id: str, metrics: Iterable[str], since: datetime
) -> dict[str, str]:
    """Return which of these metrics another automation has sent since, with that one's name."""
    rows = connection.execute(
        select(
            func.unnest(upload.c.metrics).label("metric"), func.max(upload.c.automation_name).label("name")
        )
        .where(
            upload.c.person_id == person_id,
            upload.c.received_at >= since,
            upload.c.automation_id.not_in(["", automation_id]),
            upload.c.metrics.overlap(cast(sorted(metrics), ARRAY(Text))),
        )
        .group_by(text("1"))
    )
    wanted = set(metrics)
    return {row.metric: row.name for row in rows if row.metric in wanted}


def received_instants(connection: Connection, person_id: int, upload_ids: set[int]) -> dict[int, int]:
    """Return when each of these uploads was received, in µs since 1970."""
    rows = connection.execute(
        select(upload.c.upload_id, upload.c.received_at).where(
            upload.c.person_id == person_id, among(upload.c.upload_id, upload_ids)
        )
    )
    return {row.upload_id: microseconds(row.received_at) for row in rows}


def waiting(connection: Connection) -> tuple[int, datetime | None]:
    """Return how many uploads are not settled, and when the newest was received; an import of the past is none of a phone."""
    row = connection.execute(
        select(
            func.count().filter(upload.c.state == UploadState.RECEIVED), func.max(upload.c.received_at)
        ).where(upload.c.content_type != IMPORTED)
    ).one()
    return row[0], row[1]


def _write(connection: Connection, person_id: int, upload_id: int, **values: Any) -> None:
    connection.execute(
        update(upload)
        .where(upload.c.person_id == person_id, upload.c.upload_id == upload_id)
        .values(**values)
    )


def _write_waiting(connection: Connection, person_id: int, upload_id: int, **values: Any) -> None:
    """Write unless somebody has settled it by now."""
    connection.execute(
        update(upload)
        .where(
            upload.c.person_id == person_id,
            upload.c.upload_id == upload_id,
            upload.c.state == UploadState.RECEIVED,
        )
        .values(**values)
    )


def _with(attempt: Attempts | None) -> dict[str, Any]:
    """Return what to write so that an attempt stands beside those before it."""
    if not attempt:
        return {}
    return {"trace": func.coalesce(upload.c.trace, cast({}, JSONB)).concat(cast(attempt, JSONB))}


def _upload(row: Any) -> Upload:
    return Upload(
        person_id=row.person_id,
        upload_id=row.upload_id,
        key_id=row.key_id,
        request_id=row.request_id,
        received_at=row.received_at,
        state=UploadState(row.state),
        content_type=row.content_type,
        content_encoding=row.content_encoding,
        size_bytes=row.size_bytes,
        automation=Automation(
            row.automation_name,
            row.automation_id,
            row.automation_aggregation,
            row.automation_period,
            row.session_id,
        ),
    )


def _settled(row: Any) -> Settled:
    found = _upload(row)
    receipt = Receipt(
        request_id=found.request_id,
        upload_id=found.upload_id,
        status="accepted" if found.state is UploadState.RECEIVED else found.state.value,
        counts=_counts(dict(row._mapping)),
        kinds={kind: _counts(named) for kind, named in row.kinds.items()},
        errors=tuple(ItemError(**error) for error in row.errors),
        advice=tuple(Advice(**advice) for advice in row.advice),
        processing_ms=row.processing_ms or 0,
    )
    return Settled(found, receipt, row.failure, row.processed_at)


def _counts(named: Mapping[str, Any]) -> Counts:
    return Counts(**{name: named[name] for name in Counts().as_dict()})
