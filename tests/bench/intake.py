"""How fast uploads become committed receipts, beside the floor of the same Postgres in the same run.

The floor is one binary COPY of the same number of rows straight into an indexed table of the width of `sample`.
Everything else goes over HTTP into `hearthbeat serve` with a real key, one client, one upload after the other.
"""

from __future__ import annotations

import gc
import http.client
import json
import random
import statistics
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import make_url

from appliance.engines.postgres import EmbeddedPostgres
from tests.fixtures.program import Program, Starter, hearthbeat

BODY_SAMPLES = 50_000
BODIES = 4
SYNC_SAMPLES = 3_600
SYNCS = 60
ZONE = timezone(timedelta(hours=2))
DAWN = datetime(2020, 1, 1, tzinfo=ZONE)

_ROW = struct.Struct(">hiqiqiqiiiiidiiiqi")
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)


def run() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="hb-bench-") as folder:
        start = Starter()
        try:
            program = start(Path(folder) / "data", "--log-level", "warning")
            key = hearthbeat("key", "create", "bench", "--scope", "ingest,read", data_dir=program.data_dir)
            _measure(program, key.stdout.strip())
        finally:
            start.end_all()


def _measure(program: Program, key: str) -> None:
    post = _poster(program.url, key)
    generator = random.Random(7)
    floor, stored, again = [], [], []
    post(_minutes(SYNC_SAMPLES, DAWN - timedelta(days=400), generator), "Minutes")  # warm
    with _floor_table(program) as (connection, address):
        for number in range(BODIES):
            rows = _rows(number)
            floor.append(_timed(lambda rows=rows: _copy(connection, rows)))
            body = _minutes(BODY_SAMPLES, DAWN + number * timedelta(minutes=BODY_SAMPLES // 10), generator)
            seconds, receipt = _told(lambda body=body: post(body, "Minutes"))
            assert receipt["counts"]["stored"] == BODY_SAMPLES, receipt["counts"]
            stored.append(seconds)
            seconds, receipt = _told(lambda body=body: post(body, "Minutes"))
            assert receipt["counts"]["unchanged"] == BODY_SAMPLES, receipt["counts"]
            again.append(seconds)
        print(f"Postgres at {address}")
    total = BODY_SAMPLES * BODIES
    floor_rate, rate, again_rate = total / sum(floor), total / sum(stored), total / sum(again)
    print(f"floor: binary COPY into an indexed table     {floor_rate:10,.0f} rows/s")
    print(
        f"{BODIES} bodies of {BODY_SAMPLES:,} samples, HTTP to receipt   {rate:10,.0f} samples/s   {rate / floor_rate:.2f} of the floor"
    )
    print(
        f"the same bodies again (unchanged)            {again_rate:10,.0f} samples/s   {again_rate / floor_rate:.2f} of the floor"
    )
    print(
        f"  first {[round(s, 3) for s in stored]} s, again {[round(s, 3) for s in again]} s, floor {[round(s, 3) for s in floor]} s"
    )
    times = []
    for number in range(SYNCS):
        body = _sync(DAWN + timedelta(days=600, hours=number), generator)
        seconds, receipt = _told(lambda body=body: post(body, "Minutes"))
        assert receipt["counts"]["received"] == SYNC_SAMPLES, receipt["counts"]
        times.append(seconds * 1000)
    cuts = statistics.quantiles(times, n=20)
    print(
        f"{SYNCS} syncs of {SYNC_SAMPLES:,} samples (a third of them new)   p50 {statistics.median(times):.0f} ms   p95 {cuts[18]:.0f} ms"
    )


def _minutes(samples: int, start: datetime, generator: random.Random) -> bytes:
    """A body of ten metrics by the minute, printed as the phone prints it."""
    metrics = (
        ("heart_rate", "count/min"), ("respiratory_rate", "count/min"), ("physical_effort", "kcal/hr·kg"),
        ("environmental_audio_exposure", "dBASPL"), ("headphone_audio_exposure", "dBASPL"),
        ("walking_speed", "km/hr"), ("cycling_speed", "km/hr"), ("running_power", "W"),
        ("blood_oxygen_saturation", "%"), ("heart_rate_variability", "ms"),
    )  # fmt: skip
    each = samples // len(metrics)
    dates = [_text(start + timedelta(minutes=n)) for n in range(each)]
    return _document(
        {
            "name": name,
            "units": unit,
            "data": [{"date": date, "qty": 20 + 35 * generator.random(), "source": "Anna’s Apple Watch"} if name != "walking_speed"
                     else {"date": date, "qty": 6 * generator.random(), "source": "Anna’s Apple Watch"} for date in dates],
        }
        for name, unit in metrics
    )  # fmt: skip


def _sync(start: datetime, generator: random.Random) -> bytes:
    """A normal sync: twenty metrics, the last three hours by the minute, of which one hour is new each time."""
    names = ("heart_rate", "respiratory_rate", "physical_effort", "environmental_audio_exposure", "headphone_audio_exposure",
             "step_count", "active_energy", "basal_energy_burned", "walking_running_distance", "flights_climbed",
             "cycling_speed", "running_power", "blood_oxygen_saturation", "heart_rate_variability", "apple_stand_time",
             "time_in_daylight", "caffeine", "sodium", "protein", "fiber")  # fmt: skip
    units = dict.fromkeys(names, "count") | {
        "heart_rate": "count/min", "respiratory_rate": "count/min", "physical_effort": "kcal/hr·kg", "sodium": "mg",
        "environmental_audio_exposure": "dBASPL", "headphone_audio_exposure": "dBASPL", "active_energy": "kJ",
        "basal_energy_burned": "kJ", "walking_running_distance": "km", "cycling_speed": "km/hr", "running_power": "W",
        "blood_oxygen_saturation": "%", "heart_rate_variability": "ms", "apple_stand_time": "min",
        "time_in_daylight": "min", "caffeine": "mg", "protein": "g", "fiber": "g",
    }  # fmt: skip
    each = SYNC_SAMPLES // len(names)
    # A value depends on its minute, so that what is sent again is the same.
    return _document(
        {
            "name": name,
            "units": units[name],
            "data": [
                {
                    "date": _text(start + timedelta(minutes=n)),
                    "qty": 30 + (hash((name, (start + timedelta(minutes=n)).timestamp())) % 400) / 20,
                    "source": "Anna’s Apple Watch",
                }
                for n in range(each)
            ],
        }
        for name in names
    )


def _document(metrics: Iterator[dict[str, Any]]) -> bytes:
    return json.dumps(
        {"data": {"metrics": list(metrics)}}, indent=2, separators=(",", " : "), ensure_ascii=False
    ).encode()


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %z}"


def _rows(number: int) -> bytes:
    first = 631_152_000 + number * BODY_SAMPLES // 10 * 60
    rows = [
        _ROW.pack(
            10,
            8,
            1,
            8,
            series,
            8,
            (first + n * 60) * 1_000_000,
            4,
            7200,
            4,
            60,
            8,
            random.random(),
            -1,
            -1,
            8,
            7,
            -1,
        )
        for series in range(10)
        for n in range(BODY_SAMPLES // 10)
    ]
    return b"".join((_HEADER, *rows, b"\xff\xff"))


class _floor_table:  # noqa: N801  used as a function
    """A table like `sample` in a database beside the appliance's own, on the same server."""

    def __init__(self, program: Program) -> None:
        address = make_url(EmbeddedPostgres(program.data_dir / "engines").url)
        self._to = {"host": str(address.query["host"]), "user": address.username}

    def __enter__(self) -> tuple[psycopg.Connection[Any], str]:
        with psycopg.connect(**self._to, dbname="postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE floor")
        self._connection = psycopg.connect(**self._to, dbname="floor", autocommit=True)
        self._connection.execute(
            "CREATE TABLE floor (person_id bigint, series_id bigint, start_at timestamptz, utc_offset integer NOT NULL,"
            " duration integer NOT NULL, value float8, min float8, max float8, upload_id bigint NOT NULL, extra jsonb,"
            " PRIMARY KEY (person_id, series_id, start_at))"
        )
        return self._connection, self._to["host"]

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _copy(connection: psycopg.Connection[Any], rows: bytes) -> None:
    with (
        connection.transaction(),
        connection.cursor() as cursor,
        cursor.copy("COPY floor FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.write(rows)


def _poster(url: str, key: str) -> Callable[[bytes, str], dict[str, Any]]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=120)

    def post(body: bytes, aggregation: str) -> dict[str, Any]:
        headers = {
            "X-API-Key": key,
            "Content-Type": "application/json",
            "automation-aggregation": aggregation,
        }
        connection.request("POST", "/api/v1/ingest", body, headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status == 200, content
        return dict(content)

    return post


def _told(work: Callable[[], dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    gc.collect()
    begun = time.perf_counter()
    told = work()
    return time.perf_counter() - begun, told


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
