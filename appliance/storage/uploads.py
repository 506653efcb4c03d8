"""Uploads: the bytes as they came, how far they have come, and the receipt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import zstandard
from sqlalchemy import ARRAY, Connection, Select, Text, cast, func, insert, select, text, update

from appliance.domain.localday import microseconds, midnight
from appliance.domain.upload import Advice, Automation, Counts, ItemError, Receipt, Upload, UploadState
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
    key_id: int,
    request_id: str,
    received_at: datetime,
    due_at: datetime,
    content_type: str,
    content_encoding: str,
    automation: Automation,
    body: bytes,
) -> Upload:
    """Keep the exact bytes. They are durable once the transaction is committed."""
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


def claim(connection: Connection, person_id: int, upload_id: int) -> Upload | None:
    """Take one unsettled upload for this transaction; None if it is settled or another worker has it."""
    return _claimed(
        connection,
        _claimable().where(upload.c.person_id == person_id, upload.c.upload_id == upload_id),
    )


def claim_due(connection: Connection, at: datetime) -> Upload | None:
    """Take the oldest upload that is waiting for a worker, passing over those that others work on."""
    return _claimed(
        connection, _claimable().where(upload.c.due_at <= at).order_by(upload.c.upload_id).limit(1)
    )


def _claimable() -> Select[Any]:
    return select(*_COLUMNS).where(upload.c.state == UploadState.RECEIVED).with_for_update(skip_locked=True)


def _claimed(connection: Connection, query: Select[Any]) -> Upload | None:
    row = connection.execute(query).one_or_none()
    return _upload(row) if row else None


def body_of(connection: Connection, person_id: int, upload_id: int) -> bytes | None:
    """Return the exact bytes as they came, or None when there are none (any more)."""
    packed = connection.execute(
        select(upload.c.body).where(upload.c.person_id == person_id, upload.c.upload_id == upload_id)
    ).scalar_one_or_none()
    return None if packed is None else zstandard.ZstdDecompressor().decompress(packed)


def settle(
    connection: Connection, receipt: Receipt, person_id: int, processed_at: datetime, metrics: Iterable[str]
) -> None:
    """Write the receipt of a processed upload, and the metrics of which it told samples."""
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
        **receipt.counts.as_dict(),
    )


def refuse(connection: Connection, person_id: int, upload_id: int, why: str, at: datetime) -> None:
    """Note that the body could not be opened; its bytes stay."""
    _write(
        connection, person_id, upload_id, state=UploadState.REFUSED, due_at=None, failure=why, processed_at=at
    )


def postpone(
    connection: Connection, person_id: int, upload_id: int, why: str, until: datetime, attempts_allowed: int
) -> None:
    """Note that working on the upload failed: it is tried again later, and given up after some attempts."""
    attempts = connection.execute(
        update(upload)
        .where(upload.c.person_id == person_id, upload.c.upload_id == upload_id)
        .values(attempts=upload.c.attempts + 1, failure=why, due_at=until)
        .returning(upload.c.attempts)
    ).scalar_one()
    if attempts >= attempts_allowed:
        _write(connection, person_id, upload_id, state=UploadState.FAILED, due_at=None)


def find(connection: Connection, person_id: int, upload_id: int) -> Settled | None:
    """Return one upload of this person with its receipt."""
    row = connection.execute(
        select(*_COLUMNS, *_RECEIPT).where(upload.c.person_id == person_id, upload.c.upload_id == upload_id)
    ).one_or_none()
    return _settled(row) if row else None


def listed(connection: Connection, person_id: int, *, before: int | None, limit: int) -> list[Settled]:
    """Return uploads of this person, newest first, those with an id below `before`."""
    query = select(*_COLUMNS, *_RECEIPT).where(upload.c.person_id == person_id)
    if before is not None:
        query = query.where(upload.c.upload_id < before)
    rows = connection.execute(query.order_by(upload.c.upload_id.desc()).limit(limit))
    return [_settled(row) for row in rows]


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
            upload.c.person_id == person_id, upload.c.upload_id.in_(upload_ids)
        )
    )
    return {row.upload_id: microseconds(row.received_at) for row in rows}


def waiting(connection: Connection) -> tuple[int, datetime | None]:
    """Return how many uploads are not settled, and when the newest of all was received."""
    row = connection.execute(
        select(func.count().filter(upload.c.state == UploadState.RECEIVED), func.max(upload.c.received_at))
    ).one()
    return row[0], row[1]


def _write(connection: Connection, person_id: int, upload_id: int, **values: Any) -> None:
    connection.execute(
        update(upload)
        .where(upload.c.person_id == person_id, upload.c.upload_id == upload_id)
        .values(**values)
    )


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
