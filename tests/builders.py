"""Documents as the phone sends them and rows as they are held, in as few words as a test needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from appliance.catalog.load import load_catalogue
from appliance.domain.sample import GRAIN_SECONDS, SECOND_US, Batch, Grain, SeriesKey, Stored, local_day
from appliance.domain.truth import Rows, Rule, Strand
from appliance.domain.upload import Automation
from appliance.intake.document import Document
from appliance.intake.read import read_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appliance.domain.quarantine import Quarantined
    from appliance.intake.reading import Reading

BERLIN = ZoneInfo("Europe/Berlin")
NOON = "2026-08-07 12:00:00 +0200"


def instant(text: str) -> int:
    """Return an ISO 8601 date with offset in µs since 1970 UTC."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def offset_of(text: str) -> int:
    """Return the offset of an ISO 8601 date in seconds."""
    return int(datetime.fromisoformat(text).utcoffset().total_seconds())


def point(date: Any = NOON, qty: Any = 1, **more: Any) -> dict[str, Any]:
    """Return a data point of a quantity."""
    return {"date": date, "qty": qty, **more}


def metric(name: Any, units: Any, *points: Any) -> dict[str, Any]:
    """Return one entry of `data.metrics`."""
    return {"name": name, "units": units, "data": list(points)}


def hours_of(day: str, values: Iterable[float], offset: str = "+0200", **more: Any) -> list[dict[str, Any]]:
    """Return one point for each hour of a day from midnight on."""
    return [point(f"{day} {hour:02}:00:00 {offset}", value, **more) for hour, value in enumerate(values)]


def read_arrays(
    arrays: dict[str, Any], aggregation: str = "", period: str = "", zone: ZoneInfo = BERLIN
) -> Reading:
    """Read what stands below `data`."""
    automation = Automation(aggregation=aggregation, period=period)
    return read_document(Document(arrays), load_catalogue(), automation, zone)


def read(*metrics: Any, aggregation: str = "Minutes", period: str = "", zone: ZoneInfo = BERLIN) -> Reading:
    """Read entries of `data.metrics`."""
    return read_arrays({"metrics": list(metrics)}, aggregation, period, zone)


def only_batch(reading: Reading) -> Batch:
    """Return the one batch of a reading in which nothing was set aside."""
    assert reading.quarantined == []
    (batch,) = reading.batches.values()
    return batch


def only_quarantined(reading: Reading) -> Quarantined:
    """Return the one item that was set aside, with no sample beside it."""
    assert reading.batches == {}
    (item,) = reading.quarantined
    return item


def items_behind_samples(reading: Reading) -> set[int]:
    """Return the items that at least one sample came from."""
    return {item for batch in reading.batches.values() for item in batch.item}


def a_batch(
    samples: Sequence[tuple[int, float | None]],
    *,
    cumulative: bool = True,
    cut: Iterable[int] = (),
    bounds: Sequence[tuple[float | None, float | None]] = (),
    grain: Grain = Grain.HOUR,
) -> Batch:
    """Return a batch of (hour since 1970, value); `cut` names hours too."""
    width = GRAIN_SECONDS[grain]
    starts = [hour * 3_600 * SECOND_US for hour, _ in samples]
    return Batch(
        SeriesKey("step_count", "Watch", grain, "count"),
        cumulative,
        item=list(range(len(samples))),
        start=starts,
        offset=[0] * len(samples),
        day=[local_day(start, 0) for start in starts],
        duration=[width] * len(samples),
        value=[value for _, value in samples],
        minimum=[low for low, _ in bounds],
        maximum=[high for _, high in bounds],
        cut=frozenset(hour * 3_600 * SECOND_US for hour in cut),
    )


def as_stored(batch: Batch, positions: Iterable[int] | None = None, upload_id: int = 1) -> Stored:
    """Return samples of a batch as an upload left them in the tables."""
    here = range(len(batch)) if positions is None else positions
    kept = sorted(here, key=batch.start.__getitem__)
    has_bounds = bool(batch.minimum)
    return Stored(
        [batch.start[n] for n in kept],
        [batch.offset[n] for n in kept],
        [batch.duration[n] for n in kept],
        [batch.value[n] for n in kept],
        [batch.minimum[n] for n in kept] if has_bounds else [],
        [batch.maximum[n] for n in kept] if has_bounds else [],
        [upload_id] * len(kept),
    )


def a_strand(
    source: str,
    grain: Grain,
    *rows: tuple[str, float | None],
    told: str = "2100-01-01T00:00:00+00:00",
    seconds: int | None = None,
    bounds: Sequence[tuple[float | None, float | None]] = (),
) -> Strand:
    """Return a strand of (ISO 8601 start with offset, value); `seconds` is the length of raw samples."""
    rows = tuple(sorted(rows, key=lambda row: instant(row[0])))
    starts = [instant(start) for start, _ in rows]
    offsets = [offset_of(start) for start, _ in rows]
    return Strand(
        0,
        source,
        grain,
        Rows(
            start=starts,
            offset=offsets,
            day=[local_day(start, offset) for start, offset in zip(starts, offsets, strict=True)],
            duration=[GRAIN_SECONDS[grain] if seconds is None else seconds] * len(rows),
            value=[value for _, value in rows],
            minimum=[low for low, _ in bounds],
            maximum=[high for _, high in bounds],
            told=[instant(told)] * len(rows),
        ),
    )


def the_rule(aggregate: str | None, *first_sources: str) -> Rule:
    """Return a rule that believes the named sources first, in this order."""
    order = {source: place for place, source in enumerate(first_sources)}
    return Rule(aggregate, lambda source: order.get(source, len(order)))
