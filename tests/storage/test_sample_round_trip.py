from __future__ import annotations

import struct
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from appliance.domain.sample import Batch, Grain, SeriesKey
from appliance.domain.truth import Day, Hours
from appliance.storage import people, rollups, samples, series
from appliance.storage.database import Database, StatementFailed, lock_person
from appliance.storage.samples import NewRows, Window
from tests.fixtures.waiting import wait_until

KEY = SeriesKey("step_count", "Watch", Grain.HOUR, "count")
EARLIEST, LATEST = (
    -2_208_988_800_000_000,
    4_133_980_800_000_000,
)  # 1900 and 2101, the years that dates may have

numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
extras = st.dictionaries(
    texts, st.one_of(texts, st.integers(-(2**60), 2**60), st.booleans(), st.none()), max_size=3
)


@st.composite
def batches(draw):
    """A batch of any of the shapes that are packed differently: plain, range, with gaps, with extra fields."""
    starts = draw(st.lists(st.integers(EARLIEST, LATEST), min_size=1, max_size=12, unique=True))
    count = len(starts)

    def column(items):
        return draw(st.lists(items, min_size=count, max_size=count))

    value = st.one_of(st.none(), numbers) if draw(st.booleans()) else numbers
    bound = draw(st.sampled_from([None, numbers, st.one_of(st.none(), numbers)]))
    return Batch(
        KEY,
        cumulative=True,
        item=list(range(count)),
        start=sorted(starts) if draw(st.booleans()) else starts,
        offset=column(st.integers(-54_000, 54_000)),
        duration=column(st.integers(0, 2**31 - 1)),
        value=column(value),
        minimum=column(bound) if bound is not None else [],
        maximum=column(bound) if bound is not None else [],
        extra=draw(st.dictionaries(st.integers(0, count - 1), extras, max_size=2)),
    )


def bits(number):
    """Tell -0.0 from 0.0 and every other double from its neighbours."""
    return None if number is None else struct.pack(">d", number)


@pytest.fixture
def a_series(database):
    """A person and the one series that is written to."""
    with database.transaction() as connection:
        person = people.add(connection, "Anna", "UTC")
        return person.person_id, series.add(connection, person.person_id, [KEY])[KEY].series_id


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batch=batches(), data=st.data())
def test_samples_come_back_as_they_were_written(database, a_series, batch, data):
    person_id, series_id = a_series
    positions = data.draw(st.lists(st.sampled_from(range(len(batch))), unique=True, min_size=1))
    window = Window(series_id, min(batch.start), max(batch.start))
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM sample"))
        samples.insert_rows(connection, person_id, 7, [NewRows(series_id, batch, positions)])
        stored = samples.held(connection, person_id, [window])[series_id]
        rows = connection.execute(
            text(
                "SELECT (extract(epoch FROM start_at) * 1000000)::bigint AS start, utc_offset, duration, value, min,"
                " max, upload_id, extra FROM sample WHERE person_id = :p AND series_id = :s ORDER BY start_at"
            ),
            {"p": person_id, "s": series_id},
        ).all()
    positions = sorted(positions, key=batch.start.__getitem__)
    wanted = [
        (
            batch.start[n],
            batch.offset[n],
            batch.duration[n],
            bits(batch.value[n]),
            *(bits(bound) for bound in batch.bounds(n)),
            7,
        )
        for n in positions
    ]
    assert [(*row[:3], *map(bits, row[3:6]), row.upload_id) for row in rows] == wanted
    assert [row.extra for row in rows] == [batch.extra.get(n) for n in positions]
    nothing = [None] * len(wanted)
    read = zip(
        stored.start,
        stored.offset,
        stored.duration,
        map(bits, stored.value),
        map(bits, stored.minimum or nothing),
        map(bits, stored.maximum or nothing),
        stored.upload_id,
        strict=True,
    )
    assert list(read) == wanted


def test_a_window_holds_its_edges_and_nothing_beyond(database, a_series):
    person_id, series_id = a_series
    count = 10
    batch = Batch(
        KEY,
        cumulative=True,
        item=list(range(count)),
        start=list(range(count)),
        offset=[0] * count,
        duration=[0] * count,
        value=[float(n) for n in range(count)],
    )
    with database.transaction() as connection:
        samples.insert_rows(connection, person_id, 1, [NewRows(series_id, batch, range(count))])
        windows = [Window(series_id, 2, 4), Window(series_id, 7, 7)]
        assert list(samples.held(connection, person_id, windows)[series_id].start) == [2, 3, 4, 7]
        assert samples.held(connection, person_id + 1, windows) == {}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    hours=st.lists(st.tuples(*[st.one_of(st.none(), numbers)] * 3, st.integers(0, 2**31 - 1)), max_size=25),
    number=st.integers(-25_567, 47_846),
    whole=st.tuples(*[st.one_of(st.none(), numbers)] * 3),
)
def test_a_day_and_its_hours_are_readable_in_sql(database, a_series, hours, number, whole):
    person_id, _ = a_series
    starts = [(number * 24 + n) * 3_600_000_000 for n in range(len(hours))]
    columns = [[hour[n] for hour in hours] for n in range(4)]
    day = Day(number, 7_200, *whole, count=3, hours=Hours(starts, *columns))
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM rollup"))
        rollups.insert_days(connection, person_id, [("step_count", [day])])
        (row,) = connection.execute(
            text("SELECT day - date '1970-01-01' AS number, utc_offset, value, min, max, count FROM rollup")
        )
        told = connection.execute(
            text(
                "SELECT (extract(epoch FROM start_at) * 1000000)::bigint, value, min, max, count FROM rollup_hour"
                " ORDER BY start_at"
            )
        ).all()
    assert tuple(row) == (number, 7_200, *whole, 3)
    assert [tuple(hour) for hour in told] == [
        (start, *hour) for start, hour in zip(starts, hours, strict=True)
    ]


def test_forgotten_days_are_gone_and_no_others(database, a_series, ask):
    person_id, _ = a_series
    days = [Day(number, 0, 1.0, 1.0, 1.0, 1, Hours()) for number in range(20_000, 20_005)]
    with database.transaction() as connection:
        rollups.insert_days(connection, person_id, [("step_count", days), ("body_mass", days)])
        rollups.forget_days(connection, person_id, {"step_count": [20_001, 20_003, 30_000]})
    left = ask("SELECT metric, day - date '1970-01-01' FROM rollup ORDER BY 1, 2")
    assert [number for metric, number in left if metric == "body_mass"] == list(range(20_000, 20_005))
    assert [number for metric, number in left if metric == "step_count"] == [20_000, 20_002, 20_004]


def test_writers_of_one_person_wait_for_each_other_and_others_do_not(database_url, ask):
    database = Database(database_url)
    diary = []
    go_on = threading.Event()

    def write(name, person_id):
        with database.transaction() as connection:
            lock_person(connection, person_id)
            diary.append(f"{name} in")
            if name == "first":
                assert go_on.wait(60)
            diary.append(f"{name} out")

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(write, "first", 1)
        wait_until(lambda: diary)
        second = threads.submit(write, "second", 1)
        wait_until(
            lambda: ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == [(1,)]
        )
        threads.submit(write, "stranger", 2).result(30)
        go_on.set()
        first.result(30)
        second.result(30)
    database.close()
    assert diary == ["first in", "stranger in", "stranger out", "first out", "second in", "second out"]


def test_the_lock_ends_with_a_transaction_that_fails(database):
    def fail():
        with database.transaction() as connection:
            lock_person(connection, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '1s'"))
        lock_person(connection, 1)


def test_an_error_of_the_database_tells_no_values(database):
    secret = str(4_700 + 11)
    with pytest.raises(StatementFailed, match="not-null") as error, database.transaction() as connection:
        connection.execute(
            text("INSERT INTO upload (request_id, state) SELECT 'r', :secret"), {"secret": secret}
        )
    assert error.value.sqlstate == "23502"
    assert secret not in "".join(traceback.format_exception(error.value))
