"""The export beside the posted days: one life, told twice, counted once."""

from __future__ import annotations

import re
import zipfile
from collections import Counter, defaultdict
from datetime import UTC, datetime
from statistics import fmean
from zoneinfo import ZoneInfo

import pytest

from appliance.demo.archive import write_archive
from appliance.demo.history import History
from appliance.demo.life import note_day, posts
from appliance.demo.points import BOTH, PHONE, WATCH, MetricBook
from appliance.demo.story import tell
from appliance.domain.importing import ImportState
from appliance.domain.key import Scope
from appliance.intake.apple.archive import open_archive
from tests.fixtures.house import FakeClock, a_phone

BERLIN = ZoneInfo("Europe/Berlin")
UNTIL = datetime(2026, 4, 14, 17, 23, 41, tzinfo=BERLIN)  # 29 March 2026 was a day of 23 hours
DAYS, PAST, SEED = 23, 9, 20  # the older of the posted weeks tell a sum per night

# What adds up along a day, and how far two ways of rounding take a day apart: hourly sums have four decimals, and
# records six digits each.
SUMS = {
    "step_count": 0.001,
    "walking_running_distance": 0.002,
    "active_energy": 0.01,
    "basal_energy_burned": 0.01,
    "cycling_distance": 0.002,
    "apple_exercise_time": 0.001,
    "apple_stand_time": 0.001,
    "apple_stand_hour": 0.001,
    "flights_climbed": 0.001,
    "time_in_daylight": 0.001,
    "dietary_water": 0.001,
    "caffeine": 0.001,
    "mindful_minutes": 0.001,
}
TWICE_COUNTED = {
    "step_count": "StepCount",
    "walking_running_distance": "DistanceWalkingRunning",
    "active_energy": "ActiveEnergyBurned",
    "cycling_distance": "DistanceCycling",
}


def history(**changes):
    return History(**{"until": UNTIL, "zone": BERLIN, "days": DAYS, "past": PAST, "seed": SEED} | changes)


class Truth:
    """What the generator itself knows of each day, by date."""

    def __init__(self):
        self.sums = {name: defaultdict(float) for name in SUMS}
        self.beats, self.slept = {}, {}
        self.workouts = 0
        story = history()
        self.posted = [day.date.isoformat() for day in story.posted.days]
        self.only_in_the_export = [day.date.isoformat() for day in story.past.days]
        for lived, window in story.lived():
            day = lived.plan.day.date.isoformat()
            hours, readings = MetricBook(window), MetricBook(window)
            note_day(lived, hours, readings, SEED)
            for name in SUMS:
                joined = {at for _, at, point in hours.timed(name) if point["source"] == BOTH}
                for _, at, point in hours.timed(name):
                    if point["source"] != PHONE or at not in joined:
                        self.sums[name][day] += point["qty"]
            self.beats[day] = [*thinned(readings.timed("heart_rate"))]
            night = lived.plan.night
            if lived.plan.night_recorded or day == self.posted[0]:
                self.slept[day] = sum(night.hours(stage) for stage in ("Core", "Deep", "REM"))
            self.workouts += sum(each.outing.end <= window.until for each in lived.sessions)


def thinned(points, apart=30):
    """The readings that a phone keeps of those it was told every few seconds; others may not count beside them."""
    last = 0
    for _, at, point in points:
        if at - last >= apart:
            last = at
            yield point["Avg"]


@pytest.fixture(scope="module")
def truth():
    return Truth()


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    path = tmp_path_factory.mktemp("history") / "export.zip"
    assert write_archive(path, history())
    return path


@pytest.fixture(scope="module")
def sent():
    return list(posts(until=UNTIL, zone=BERLIN, days=DAYS, seed=SEED))


@pytest.fixture
def clock():
    return FakeClock(UNTIL.astimezone(UTC))


class Life:
    """One person of the house, who posts and imports."""

    def __init__(self, app, services, ask, name):
        self.phone = a_phone(app, services, name, list(Scope))
        self.person_id = services.people.ensure(name).person_id
        self._services, self._ask = services, ask

    def post(self, sent):
        for each in sent:
            self.phone.send(each.body, **each.headers)

    def take_over(self, export):
        run = self._services.importing.export(self.person_id, export)
        assert run.state is ImportState.DONE
        assert run.counts.adds_up()
        assert run.counts.quarantined == 0
        return run

    def ask(self, query, **names):
        return self._ask(query, person=self.person_id, **names)

    def days(self, metric):
        told = self.ask(
            "SELECT day, value FROM rollup WHERE person_id = :person AND metric = :metric", metric=metric
        )
        return {day.isoformat(): value for day, value in told}

    def counts(self, metric):
        told = self.ask(
            "SELECT day, count FROM rollup WHERE person_id = :person AND metric = :metric", metric=metric
        )
        return {day.isoformat(): count for day, count in told}

    def everything(self):
        """What is held, but for who brought it and what it is called; numbers to nine digits."""
        samples = self.ask(
            "SELECT metric, grain, name, start_at, duration, round(value::numeric, 6), round(min::numeric, 6),"
            " round(max::numeric, 6), sample.extra->>'beats' FROM sample JOIN series USING (person_id, series_id)"
            " JOIN source USING (person_id, source_id)"
            # What was told and is not any more, such as sleep without a stage, leaves a sample that tells nothing.
            " WHERE person_id = :person AND coalesce(value, min, max) IS NOT NULL ORDER BY 1, 2, 3, 4"
        )
        rollups = self.ask(
            "SELECT metric, day, count, round(value::numeric, 6), round(min::numeric, 6), round(max::numeric, 6)"
            " FROM rollup WHERE person_id = :person AND coalesce(value, min, max) IS NOT NULL ORDER BY 1, 2"
        )
        records = self.ask(
            "SELECT kind, label, source, start_at, end_at, flags, content, array(SELECT name || array_length(start_at, 1)"
            " || values::text FROM record_track AS t WHERE (t.person_id, t.record_id) ="
            " (record.person_id, record.record_id) ORDER BY 1)"
            " FROM record WHERE person_id = :person ORDER BY 1, 4, 2, 3"
        )
        segments = self.ask(
            "SELECT source, stage, start_at, end_at FROM sleep_segment WHERE person_id = :person ORDER BY 1, 3, 2"
        )
        return {"samples": samples, "rollups": rollups, "records": records, "segments": segments}


@pytest.fixture
def posted_first(app, services, ask, sent, export):
    life = Life(app, services, ask, "Anna")
    life.post(sent)
    life.run = life.take_over(export)
    return life


@pytest.fixture
def imported_first(app, services, ask, sent, export):
    life = Life(app, services, ask, "Ben")
    life.run = life.take_over(export)
    life.post(sent)
    return life


def sums_of_all_sources(export):
    """What a careless reader makes of the archive: every record of a type, added up by day."""
    with zipfile.ZipFile(export) as archive:
        xml = archive.read("apple_health_export/export.xml").decode()
    sums = {kind: defaultdict(float) for kind in TWICE_COUNTED.values()}
    pattern = r'<Record type="HKQuantityTypeIdentifier(\w+)".* startDate="([^"]*)".* value="([^"]*)"'
    for kind, start, value in re.findall(pattern, xml):
        if kind in sums:
            day = datetime.strptime(start, "%Y-%m-%d %H:%M:%S %z").astimezone(BERLIN).date().isoformat()
            sums[kind][day] += float(value)
    return sums


def test_a_day_told_by_the_phone_and_by_the_export_is_counted_once(posted_first, truth, export):
    careless = sums_of_all_sources(export)
    for name, rounding in SUMS.items():
        days = {day: value for day, value in posted_first.days(name).items() if value}
        told = {day: value for day, value in truth.sums[name].items() if value}
        assert days == pytest.approx(told, abs=rounding), name
        if kind := TWICE_COUNTED.get(name):
            twice = [careless[kind][day] / total for day, total in told.items()]
            # Of energy only the workouts are told twice.
            assert sum(share > 1.3 for share in twice) >= 3, name
    assert posted_first.counts("heart_rate") == {day: len(beats) for day, beats in truth.beats.items()}
    assert posted_first.days("heart_rate") == pytest.approx(
        {day: fmean(beats) for day, beats in truth.beats.items()}, abs=1e-6
    )
    slept = {day: value for day, value in posted_first.days("sleep_total").items() if value}
    assert slept == pytest.approx(truth.slept, abs=1e-6)
    counts = dict(
        posted_first.ask("SELECT kind, count(*) FROM record WHERE person_id = :person GROUP BY kind")
    )
    assert counts["workouts"] == truth.workouts
    assert counts["ecg"] == 4  # two in the posted days and two before
    assert counts["heart_notifications"] == 2
    rings = posted_first.phone.get("/api/v1/checks/activity")
    assert (rings["days"], rings["items"]) == (DAYS + PAST, [])  # Apple's own numbers agree


def apart(one, other):
    """What only one of two lists of rows holds; the first few, for a failure that can be read."""
    counted = [Counter(repr(tuple(row)) for row in rows) for rows in (one, other)]
    return [sign + row for sign, a, b in (("-", *counted), ("+", *counted[::-1])) for row in list(a - b)[:8]]


def test_importing_first_and_posting_afterwards_tells_the_same_and_an_export_in_winter_adds_nothing(
    posted_first, imported_first, tmp_path
):
    one, other = posted_first.everything(), imported_first.everything()
    for name, rows in one.items():
        assert rows, name
        assert apart(rows, other[name]) == [], name
    winter = history()
    winter.spelling._east, winter.spelling._offset = 3_600, "+0100"
    assert write_archive(tmp_path / "winter.zip", winter)
    run = imported_first.take_over(tmp_path / "winter.zip")
    assert (run.counts.stored, run.counts.revised) == (0, 0)
    assert imported_first.everything() == other


def test_the_same_life_is_told_each_time_and_before_the_posted_days_lies_another(truth):
    assert list(history(days=2, past=2).told()) == list(history(days=2, past=2).told())
    story = history()
    assert [plan.day.date.isoformat() for plan in tell(story.posted, SEED)] == truth.posted
    assert story.past.until == story.posted.start
    fitness = [plan.fitness for plan in tell(history(past=300).past, SEED, past=True)]
    assert fitness[0] == 0
    assert fitness[-1] < 0.01
    assert max(fitness) > 0.5


def test_the_archive_is_what_a_phone_makes(export):
    with open_archive(export) as archive:
        main = archive.read(archive.main).decode()
        routes, recordings = archive.ending(".gpx"), archive.ending(".csv")
    assert {date[-5:] for date in re.findall(r'Date="([^"]*)"', main)} == {
        "+0200"
    }  # one offset, also for winter
    groups = re.findall(r"\n <(\w+)(?: type=\"(\w+)\")?", main)
    order = [key for n, key in enumerate(groups) if n == 0 or groups[n - 1] != key]
    of_a_type = Counter(kind or name for name, kind in order if name not in ("Record", "Correlation"))
    assert set(of_a_type.values()) == {1}
    records = [kind for name, kind in order if name == "Record"]
    assert len(records) == len(set(records)) > 35
    assert len(set(re.findall(r"HKDevice: (0x\w+)", main))) > 50
    assert {*re.findall(r'sourceName="([^"]*)"', main)} == {WATCH, PHONE, "Laps &amp; Loops", "Home Cuff"}
    assert {*re.findall(r'FileReference path="/(.*)"', main)} == {
        each.name.removeprefix("apple_health_export/") for each in routes
    }
    assert len(recordings) == 4


def test_routes_lie_in_the_open_sea(export):
    with open_archive(export) as archive:
        for each in archive.ending(".gpx"):
            places = re.findall(rb'lon="([^"]*)" lat="([^"]*)"', archive.read(each))
            assert places
            assert all(abs(float(east)) < 0.1 and abs(float(north)) < 0.1 for east, north in places)


def test_an_archive_that_is_not_wanted_any_more_is_left_alone(tmp_path):
    lived = []
    assert not write_archive(tmp_path / "export.zip", history(days=1, past=5), lived.append)
    assert len(lived) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["export.zip"]
