"""Export: everything held, as CSV, as JSON lines or as Parquet, written while it is read."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask import request
from pydantic import Field

from appliance.api.metrics import WINDOW
from appliance.api.routes import Answer, Call, Query, Route
from appliance.api.times import as_end, as_start, day_or_instant, first_day, last_day
from appliance.domain.key import Scope
from appliance.services.export import Exported, Span, What

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from appliance.services.export import Page

# A spreadsheet runs a cell that begins like this; an apostrophe in front makes it a text (OWASP, “CSV Injection”).
_RUNS_IN_A_SPREADSHEET = ("=", "+", "-", "@", "\t", "\r")


class Format(StrEnum):
    """How an export is written."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


CONTENT_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.NDJSON: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}


class ExportQuery(Query):
    """What of what is held, and how it is written."""

    metric: str | None = Field(
        None, description="A metric, several with commas, or the parameter again; all without it."
    )
    start: str | None = Field(None, description=WINDOW)
    end: str | None = Field(None, description=f"{WINDOW} A day is included, an instant is not.")
    format: Format = Format.CSV
    what: What = Field(What.SAMPLES, description="Samples as stored, or the resolved truth of each day.")


def give_all(call: Call) -> Answer:
    """Stream everything that is asked for."""
    query = call.query
    zone = call.services.people.find(call.person_id).zone
    start, end = day_or_instant(query.start, "start"), day_or_instant(query.end, "end")
    span = Span(as_start(start, zone), as_end(end, zone), first_day(start), last_day(end))
    pages = call.services.export.pages(call.person_id, _names(), query.what, span)
    written = {Format.CSV: as_csv, Format.NDJSON: as_ndjson, Format.PARQUET: as_parquet}[query.format](pages)
    file_name = f"hearthbeat-{query.what}.{query.format}"
    return Answer(
        written,
        200,
        {"Content-Disposition": f'attachment; filename="{file_name}"'},
        CONTENT_TYPES[query.format],
    )


def as_csv(pages: Iterable[Page]) -> Iterator[bytes]:
    """Write rows as CSV (RFC 4180) with a header row; no number is rounded, and no cell runs in a spreadsheet."""
    yield _csv_lines([Exported._fields])
    for page in pages:
        yield _csv_lines(map(_cells, page))


def as_ndjson(pages: Iterable[Page]) -> Iterator[bytes]:
    """Write rows as one JSON object a line."""
    for page in pages:
        lines = [
            json.dumps(
                row._asdict() | {"start": row.start.isoformat(), "end": row.end.isoformat()},
                ensure_ascii=False,
                separators=(",", ":"),
            )
            for row in page
        ]
        yield ("\n".join(lines) + "\n").encode()


def as_parquet(pages: Iterable[Page]) -> Iterator[bytes]:
    """Write rows as Parquet, a page to a row group; instants in UTC, with the offset beside them."""
    # Here and not above: it is forty megabytes of memory that only an export needs.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    word, when, number = pa.string(), pa.timestamp("us", tz="UTC"), pa.float64()
    kinds = {"start": when, "end": when, "value": number, "min": number, "max": number}
    kinds |= {"utc_offset": pa.int32(), "upload_id": pa.int64()}
    schema = pa.schema([(name, kinds.get(name, word)) for name in Exported._fields])
    sink = _Sink()
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for page in pages:
            columns = [list(column) for column in zip(*page, strict=True)]
            writer.write_table(
                pa.Table.from_arrays(
                    [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)],
                    schema=schema,
                )
            )
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A file that is only written forwards, and whose bytes are taken away as they come."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        part = bytes(content)
        self._parts.append(part)
        self._length += len(part)
        return len(part)

    def tell(self) -> int:
        return self._length

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _names() -> list[str]:
    """Return the metrics asked for; the parameter may come again and again, which a query model cannot hold."""
    return [
        name for told in request.args.getlist("metric") for part in told.split(",") if (name := part.strip())
    ]


def _csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cells(row: Exported) -> Iterator[Any]:
    for cell in row:
        if isinstance(cell, str):
            yield _harmless(cell)
        else:
            yield cell.isoformat() if isinstance(cell, datetime) else cell


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_RUNS_IN_A_SPREADSHEET) else text


ROUTES = (
    Route(
        "GET",
        "/api/v1/export",
        give_all,
        "Give everything held as a file",
        Scope.READ,
        query=ExportQuery,
        media_types=tuple(told.partition(";")[0] for told in CONTENT_TYPES.values()),
    ),
)
