"""An export gives back exactly what is held, to whom it belongs, whatever the format and however much it is."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet
from sqlalchemy import text

from appliance.domain.key import Scope
from appliance.services import export
from appliance.services.export import Exported, Span, What
from tests.fixtures.documents import document, hours, metric, point, when
from tests.fixtures.house import a_phone

COLUMNS = [
    "metric",
    "start",
    "end",
    "value",
    "min",
    "max",
    "unit",
    "source",
    "grain",
    "utc_offset",
    "upload_id",
]
BODY = document(
    metric(
        "step_count", "count", *hours("2026-08-07", [100.25, 1 / 3, 0.1]), *hours("2026-08-08", [7], "Phone")
    ),
    metric("heart_rate", "count/min", point("2026-08-07 10:00", source="Watch", Min=50, Avg=61.5, Max=90)),
    metric("shoe_wear", "mm", point("2026-08-07 10:00", 2, "=HYPERLINK(1)")),
)


def ask(phone, **query):
    return phone.client.get("/api/v1/export", query_string=query, headers={"X-API-Key": phone.key})


def from_csv(content):
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    for row in rows:
        row.update({name: float(row[name]) if row[name] else None for name in ("value", "min", "max")})
        row.update({name: int(row[name]) if row[name] else None for name in ("utc_offset", "upload_id")})
    return rows


def from_ndjson(content):
    return [json.loads(line) for line in content.decode().splitlines()]


def from_parquet(content):
    rows = parquet.read_table(pa.BufferReader(content)).to_pylist()
    for row in rows:
        for name in ("start", "end"):
            local = row[name].astimezone(when("2026-08-07 10:00").tzinfo)
            row[name] = local.isoformat()
    return rows


READERS = {"csv": from_csv, "ndjson": from_ndjson, "parquet": from_parquet}


def held(phone):
    """Everything, as the pages of samples tell it."""
    told = [
        {"metric": listed["key"]} | {name: sample[name] for name in COLUMNS[1:]}
        for listed in phone.get("/api/v1/metrics")["items"]
        for sample in phone.samples(listed["key"], limit=5_000)
    ]
    return sorted(told, key=lambda row: (row["metric"], row["start"]))


@pytest.mark.parametrize("written", READERS)
def test_every_format_gives_back_exactly_the_samples(phone, written):
    phone.send(BODY, automation_aggregation="Hours")
    answer = ask(phone, format=written)
    rows = READERS[written](answer.data)
    for row in rows:
        row["source"] = row["source"].removeprefix("'") if written == "csv" else row["source"]
    assert sorted(rows, key=lambda row: (row["metric"], row["start"])) == held(phone)
    assert [list(row) for row in rows] == [COLUMNS] * 6


@pytest.mark.parametrize(
    ("written", "content_type"),
    [
        ("csv", "text/csv; charset=utf-8"),
        ("ndjson", "application/x-ndjson"),
        ("parquet", "application/vnd.apache.parquet"),
    ],
)
def test_an_export_is_a_streamed_file_without_a_tag(phone, written, content_type):
    phone.send(BODY)
    answer = ask(phone, format=written)
    assert answer.content_type == content_type
    assert answer.headers["Content-Disposition"] == f'attachment; filename="hearthbeat-samples.{written}"'
    assert "ETag" not in answer.headers
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("written", READERS)
def test_an_export_of_nothing_is_still_a_file(phone, written):
    answer = ask(phone, format=written)
    assert answer.status_code == 200
    assert READERS[written](answer.data) == []


def test_days_are_the_resolved_truth(phone):
    phone.send(BODY, automation_aggregation="Hours")
    rows = from_ndjson(ask(phone, format="ndjson", what="days", metric="step_count").data)
    assert {row["start"][:10]: row["value"] for row in rows} == phone.days("step_count")
    assert rows[0] | {"value": 0} == {
        "metric": "step_count",
        "start": "2026-08-07T00:00:00+02:00",
        "end": "2026-08-08T00:00:00+02:00",
        "value": 0,
        "min": 0.1,
        "max": 100.25,
        "unit": "count",
        "source": "",
        "grain": "day",
        "utc_offset": 7200,
        "upload_id": None,
    }


@pytest.mark.parametrize("what", list(What))
def test_a_window_limits_samples_and_days(phone, what):
    phone.send(BODY, automation_aggregation="Hours")
    rows = from_ndjson(ask(phone, format="ndjson", what=what, start="2026-08-08", end="2026-08-08").data)
    assert [row["start"] for row in rows] == ["2026-08-08T00:00:00+02:00"]


@pytest.mark.parametrize(
    "asked", [["step_count,heart_rate"], ["step_count", "heart_rate"], ["Step Count", " heart_rate ,"]]
)
def test_metrics_are_named_with_commas_or_again_and_again(phone, asked):
    phone.send(BODY)
    rows = from_ndjson(ask(phone, format="ndjson", metric=asked).data)
    assert {row["metric"] for row in rows} == {"step_count", "heart_rate"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"metric": "never_sent"}, 404),
        ({"format": "xlsx"}, 400),
        ({"what": "weeks"}, 400),
        ({"start": "soon"}, 400),
        ({"start": "2026-08-09", "end": "2026-08-07"}, 400),
        ({"limit": "5"}, 400),
        ({"metric": ",".join(f"m{n}" for n in range(501))}, 400),
    ],
)
def test_what_cannot_be_exported_is_said_before_the_file_begins(phone, query, status):
    answer = ask(phone, **query)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_no_cell_runs_in_a_spreadsheet(phone):
    phone.send(
        document(*(metric("shoe_wear", "mm", point("2026-08-07 10:00", 2, sign + "1+1")) for sign in "=+-@"))
    )
    sources = {row["source"] for row in from_csv(ask(phone).data)}
    assert sources == {"'=1+1", "'+1+1", "'-1+1", "'@1+1"}


def test_one_person_never_sees_another(phone, app, services):
    other = a_phone(app, services, "Ben", [Scope.INGEST, Scope.READ])
    phone.send(BODY)
    other.send(document(metric("step_count", "count", point("2026-08-07 10:00", 9, "Ben's Watch"))))
    rows = from_ndjson(ask(other, format="ndjson").data)
    assert [(row["metric"], row["value"], row["source"]) for row in rows] == [
        ("step_count", 9, "Ben's Watch")
    ]
    assert ask(other, metric="heart_rate").status_code == 404


def test_pages_join_without_a_gap_or_a_repeat(phone, services, monkeypatch):
    monkeypatch.setattr(export, "PAGE_ROWS", 7)
    phone.send(
        document(metric("step_count", "count", *hours("2026-08-07", range(21)))),
        automation_aggregation="Hours",
    )
    pages = list(services.export.pages(person_of(phone, services), [], What.SAMPLES, Span()))
    assert [len(page) for page in pages] == [7, 7, 7]
    assert [row.value for page in pages for row in page] == list(range(21))


def person_of(phone, services):
    return services.people.named("Anna").person_id


def test_no_connection_is_held_between_pages_and_a_client_may_go_away(phone, services, monkeypatch):
    monkeypatch.setattr(export, "PAGE_ROWS", 5)
    phone.send(
        document(metric("step_count", "count", *hours("2026-08-07", range(20)))),
        automation_aggregation="Hours",
    )
    person_id = person_of(phone, services)
    begun = [services.export.pages(person_id, [], What.SAMPLES, Span()) for _ in range(40)]
    assert [len(next(pages)) for pages in begun] == [5] * 40
    for pages in begun:
        pages.close()
    answer = phone.client.get("/api/v1/export", headers={"X-API-Key": phone.key}, buffered=False)
    next(answer.iter_encoded())
    answer.close()


SAMPLES = 300_000


@pytest.fixture
def long_history(phone, services):
    """A phone with many minutes; they are multiplied in the table, for posting them is not what is tested."""
    phone.send(
        document(metric("step_count", "count", point("2026-01-01 00:00", 1))),
        automation_aggregation="Minutes",
    )
    with services.uploads._database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO sample (person_id, series_id, start_at, utc_offset, duration, value, upload_id)"
                " SELECT person_id, series_id, start_at + n * interval '1 minute', utc_offset, duration, n % 50, upload_id"
                " FROM sample, generate_series(1, :last) AS n"
            ),
            {"last": SAMPLES - 1},
        )
    return phone


def rss():
    return psutil.Process().memory_info().rss


@pytest.mark.parametrize("written", ["csv", "parquet"])
def test_memory_stays_flat_however_much_is_exported(long_history, written):
    ask(long_history, format=written, end="2026-01-20").close()  # what is loaded once is loaded now
    before = highest = rss()
    answer = long_history.client.get(
        "/api/v1/export",
        query_string={"format": written},
        headers={"X-API-Key": long_history.key},
        buffered=False,
    )
    parts, lines = [], 0
    for part in answer.iter_encoded():
        highest = max(highest, rss())
        assert len(part) < 4 * 2**20
        lines += part.count(b"\n")
        if written == "parquet":
            parts.append(part)
    answer.close()
    assert highest - before < 40 * 2**20
    if written == "csv":
        assert lines == SAMPLES + 1
        return
    table = parquet.read_table(pa.BufferReader(b"".join(parts)))
    assert (table.num_rows, len(table["start"].unique())) == (SAMPLES, SAMPLES)
    assert sum(table["value"].to_pylist()) == 1 + sum(n % 50 for n in range(1, SAMPLES))


def test_parquet_is_not_loaded_before_somebody_asks_for_it():
    program = "import sys, appliance.bootstrap; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_columns_are_a_promise():
    assert list(Exported._fields) == COLUMNS
