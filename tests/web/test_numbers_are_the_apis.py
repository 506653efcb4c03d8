"""The numbers on pages are those the API gives, for the demo's life: converted and rounded once, and never anew."""

from __future__ import annotations

import html
import re
from zoneinfo import ZoneInfo

import pytest

from appliance.demo.life import posts

DAYS = 9
WEEK = {"start": "2026-08-14", "end": "2026-08-20"}  # the week that ends on the clock's day

# What the API tells in this unit is shown in that one: times and plus.
METRIC = {
    "count": ("", 1, 0),
    "count/min": ("/min", 1, 0),
    "degC": ("°C", 1, 0),
    "km/hr": ("km/h", 1, 0),
    "dBASPL": ("dB", 1, 0),
    "kcal/hr·kg": ("MET", 1, 0),
}
IMPERIAL = METRIC | {
    "km": ("mi", 1 / 1.609344, 0),
    "m": ("ft", 1 / 0.3048, 0),
    "cm": ("in", 1 / 2.54, 0),
    "kg": ("lb", 1 / 0.45359237, 0),
    "degC": ("°F", 1.8, 32),
    "km/hr": ("mph", 1 / 1.609344, 0),
    "mL": ("fl oz", 1 / 29.5735295625, 0),
    "kcal": ("kJ", 4.184, 0),
}
ONE_MORE_DECIMAL = "fl oz"
BEATS = re.compile("heart_rate|cardio_recovery")


def text(part: str) -> str:
    """Return what a part of a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", part)).split())


def every(pattern: str, part: str) -> list[tuple[str, ...]]:
    """Return the groups of every match, without tags; there must be one."""
    found = re.findall(pattern, part, re.DOTALL)
    assert found, pattern
    return [tuple(text(each) for each in (one if isinstance(one, tuple) else (one,))) for one in found]


def hours(value: float | None) -> str:
    if value is None:
        return "–"
    minutes = round(value * 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


class Shown:
    """How numbers of the API are shown to a person of these units."""

    def __init__(self, units: dict) -> None:
        self.units = units

    def number(self, metric: dict, value: float | None) -> str:
        """Return a metric's value without its unit."""
        if value is None:
            return "–"
        if metric["unit"] == "hr":
            return hours(value)
        unit, times, plus = self.units.get(metric["unit"], (metric["unit"], 1, 0))
        decimals = metric["decimals"] + (unit == ONE_MORE_DECIMAL)
        told = f"{value * times + plus:,.{decimals}f}"
        return told.removeprefix("-") if not told.strip("-0.,") else told

    def unit(self, metric: dict) -> str:
        """Return the unit a metric is shown in."""
        if metric["unit"] == "hr":
            return ""
        if metric["unit"] == "count/min" and BEATS.search(metric["key"]):
            return "bpm"
        return self.units.get(metric["unit"], (metric["unit"],))[0]

    def whole(self, metric: dict, value: float | None) -> str:
        """Return a metric's value with its unit, a blank between."""
        return f"{self.number(metric, value)} {self.unit(metric)}".strip() if value is not None else "–"

    def reach(self, metric: dict, low: float | None, high: float | None) -> str:
        """Return a lowest and a highest value without their unit."""
        if low is None or high is None:
            return ""
        unit = self.units.get(metric["unit"], (metric["unit"], 1, 0))
        decimals = metric["decimals"] + (unit[0] == ONE_MORE_DECIMAL)
        one, other = (f"{value * unit[1] + unit[2]:,.{decimals}f}" for value in (low, high))
        return one if one == other else f"{one} – {other}"


@pytest.fixture(params=[METRIC, IMPERIAL], ids=["metric", "imperial"])
def shown(request, visitor, phone, clock) -> Shown:
    """The demo's life of some days is held, and its person prefers these units."""
    zone = ZoneInfo("Europe/Berlin")
    for post in posts(until=clock.now().astimezone(zone), zone=zone, days=DAYS):
        phone.send(post.body, **{name.replace("-", "_"): told for name, told in post.headers.items()})
    if request.param is IMPERIAL:
        assert visitor.send("/settings/display", units="imperial", energy="kJ").status_code == 302
    return Shown(request.param)


def test_every_number_of_the_demo_is_the_apis(visitor, phone, shown):
    """One test for all pages, because the life they are compared on takes longest."""
    metrics = {each["key"]: each for each in phone.get("/api/v1/metrics")["items"]}
    today = phone.get("/api/v1/today")
    check_today(visitor, shown, metrics, today)
    check_list(visitor, phone, shown, metrics)
    for metric in metrics.values():
        check_metric(visitor, phone, shown, metric)
    check_night(visitor, today["sleep"])
    check_workouts(visitor, phone, shown)
    check_uploads(visitor, phone)
    check_health(visitor, phone, metrics)


def check_today(visitor, shown, metrics, today):
    page = visitor.open("/")
    told = {each["key"]: each["value"] for each in today["metrics"]}
    tiles = dict(
        every(r'<a class="card tile[^"]*" href="/browse/(\w+)">.*?<span class="value">(.*?)</span>', page)
    )
    assert len(tiles) >= 6
    for key, value in tiles.items():
        assert value == shown.whole(metrics[key], told[key]), key
    goals = dict(every(r'<a class="goal-of[^"]*" href="/browse/(\w+)">.*?<b>(.*?)</b>', page))
    for key, value in goals.items():
        assert value == shown.number(metrics[key], told.get(key)), key
    night = page.split("night-card")[1].split("</section>")[0]
    assert every(r'class="value">(.*?)</p>', night) == [(hours(today["sleep"]["hours"]["total"]),)]
    for name in ("deep", "core", "rem", "awake"):
        assert (
            f"{name.capitalize() if name != 'rem' else 'REM'} {hours(today['sleep']['hours'][name])}"
            in text(night)
        )


def check_list(visitor, phone, shown, metrics):
    page = visitor.open("/browse")
    lines = every(
        r'<a class="kind-\w+" href="/browse/(\w+)">.*?small">([\d,]+) samples?,.*?class="value">(.*?)</span><br>',
        page,
    )
    assert {key for key, _, _ in lines} == metrics.keys()
    for key, count, value in lines:
        metric = metrics[key]
        last = phone.get(f"/api/v1/metrics/{key}/series")[-1]
        assert count == f"{metric['count']:,}", key
        if last["value"] is None:
            assert value == f"{shown.reach(metric, last['min'], last['max'])} {shown.unit(metric)}", key
        else:
            assert value == shown.whole(metric, last["value"]), key


def check_metric(visitor, phone, shown, metric):
    key = metric["key"]
    page = visitor.open(f"/browse/{key}?range=w")
    assert f"Of all {metric['count']:,} samples held" in page
    held = every(r'class="told-by">.*?class="number">(.*?)</td>', page)
    assert sum(int(count.replace(",", "")) for (count,) in held) == metric["count"], key
    points = phone.get(f"/api/v1/metrics/{key}/series", **WEEK)
    if not points:
        assert "Nothing in this time" in page, key
        return
    is_sum = metric["aggregate"] == "sum"
    rows = re.findall(r'/days/([\d-]+)">.*?</th>(.*?)</tr>', page.split("days-table")[1].split("</table>")[0])
    cells = {day: [cell for (cell,) in every(r"<td[^>]*>(.*?)</td>", row)] for day, row in rows}
    assert cells == {
        point["start"][:10]: [
            shown.number(metric, point["value"]),
            *([] if is_sum else [shown.reach(metric, point["min"], point["max"])]),
            f"{point['count']:,}",
        ]
        for point in points
    }, key
    figures = dict(every(r'<dt>([^<]*)</dt><dd class="value">(.*?)(?:<br>.*?)?</dd>', page))
    values = [point["value"] for point in points if point["value"] is not None]
    over = [
        point["value"] for point in points if point["start"][:10] < WEEK["end"] and point["value"] is not None
    ]
    wanted = {"Days with data": str(len(points)), "Samples": f"{sum(point['count'] for point in points):,}"}
    if is_sum:
        over = over or values
        wanted |= {
            "Average a day": shown.whole(metric, sum(over) / len(over)),
            "Most": shown.whole(metric, max(values)),
            "Least": shown.whole(metric, min(over)),
            "Total": shown.whole(metric, sum(values)),
        }
    else:
        ends = [point["min"] for point in points], [point["max"] for point in points]
        wanted |= {"Lowest": shown.whole(metric, min(ends[0])), "Highest": shown.whole(metric, max(ends[1]))}
        if values:
            wanted["Average of days"] = shown.whole(metric, sum(values) / len(values))
    assert figures == wanted, key


def check_night(visitor, night):
    page = visitor.open("/sleep")
    rows = dict(
        every(
            r'<th scope="row"><span class="swatch[^>]*></span>(.*?)</th><td class="number">(.*?)</td>', page
        )
    )
    told = night["hours"]
    assert rows == {
        "Deep": hours(told["deep"]),
        "Core": hours(told["core"]),
        "REM": hours(told["rem"]),
        "Awake": hours(told["awake"]),
    }
    said = text(page)
    assert f"Asleep {hours(told['total'])}" in said
    assert f"Fell asleep {night['start'][11:16]} Woke up {night['end'][11:16]}" in said


def clock(seconds: float) -> str:
    whole = round(seconds)
    return (
        f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
        if whole >= 3600
        else f"{whole // 60}:{whole % 60:02}"
    )


def check_workouts(visitor, phone, shown):
    page = visitor.open("/workouts?range=all")
    workouts = phone.get("/api/v1/workouts")["items"]
    rows = re.findall(r'<li><a href="/workouts/(\d+)">(.*?)</a></li>', page, re.DOTALL)
    assert [int(found) for found, _ in rows] == [each["id"] for each in workouts]
    distance, energy = {"unit": "km", "decimals": 2, "key": ""}, {"unit": "kcal", "decimals": 0, "key": ""}
    for (_, row), told in zip(rows, workouts, strict=True):
        said = text(row)
        for words in (
            f"Time {hours(told['duration_s'] / 3600)}",
            f"Distance {shown.whole(distance, told['distance_km'])}",
            f"Average heart rate {told['avg_heart_rate']:.0f} bpm",
            f"Active energy {shown.whole(energy, told['active_energy_kcal'])}",
        ):
            assert words in said
    facts = dict(every(r"<dt>([^<]*)</dt><dd>(.*?)</dd>", page))
    assert facts["Workouts"] == str(len(workouts))
    assert facts["Time"] == hours(sum(told["duration_s"] for told in workouts) / 3600)
    assert facts["Distance"] == shown.whole(distance, sum(told["distance_km"] for told in workouts))
    assert facts["Active energy"] == shown.whole(energy, sum(told["active_energy_kcal"] for told in workouts))
    for each in workouts:
        check_workout(visitor, phone, shown, each["id"])


def check_workout(visitor, phone, shown, workout_id):
    told = phone.get(f"/api/v1/workouts/{workout_id}")["content"]
    facts = dict(
        every(r'<dt>([^<]*)</dt><dd class="as-told">(.*?)</dd>', visitor.open(f"/workouts/{workout_id}"))
    )
    assert facts["Active time"] == clock(told["duration_s"])
    kinds = {
        "Distance": ("distance_km", "km", 2),
        "Active energy": ("active_energy_kcal", "kcal", 0),
        "Total energy": ("total_energy_kcal", "kcal", 0),
        "Best speed": ("max_speed_km_hr", "km/hr", 1),
        "Height gained": ("elevation_up_m", "m", 0),
        "Height lost": ("elevation_down_m", "m", 0),
        "Air temperature": ("temperature_degC", "degC", 0),
        "Steps": ("step_count", "count", 0),
        "Effort": ("intensity", "kcal/hr·kg", 1),
    }
    for name, (key, unit, decimals) in kinds.items():
        metric = {"unit": unit, "decimals": decimals, "key": key}
        assert facts.get(name, "–") == shown.whole(metric, told.get(key)), name
    for name, key in (("Average heart rate", "avg_heart_rate"), ("Highest heart rate", "max_heart_rate")):
        assert facts[name] == f"{told[key]:.0f} bpm"
    assert facts["Humidity"] == f"{told['humidity_percent']:.0f}%"


def outcomes(counts: dict) -> str:
    names = ("stored", "revised", "unchanged", "superseded", "quarantined")
    return " ".join(f"{counts[name]:,} {name}" for name in names if counts[name])


def check_uploads(visitor, phone):
    page = visitor.open("/uploads")
    uploads = phone.get("/api/v1/uploads")["items"]
    rows = re.findall(r'<li id="row-(\d+)">(.*?)</li>', page, re.DOTALL)
    assert [int(found) for found, _ in rows] == [told["upload_id"] for told in uploads]
    for (_, row), told in zip(rows, uploads, strict=True):
        assert text(row).endswith(outcomes(told["counts"]))
        assert f" {told['processing_ms']} ms" in text(row)
    told = uploads[0]
    one = text(visitor.open(f"/uploads/{told['upload_id']}"))
    assert f"{outcomes(told['counts'])} Items {told['counts']['received']:,} " in one


def check_health(visitor, phone, metrics):
    page = visitor.open("/health/coverage?range=w")
    days = dict(every(r'metric=(\w+)#calendar">.*?<td class="number">(\d+)<', page))
    assert {key: int(count) for key, count in days.items()} == {
        key: len(phone.get(f"/api/v1/metrics/{key}/series", **WEEK)) for key in metrics
    }
    groups = phone.get("/api/v1/quarantine", summary="true")["summary"]
    set_aside = sum(group["count"] for group in groups)
    assert (f"Set aside {set_aside:,} item" if set_aside else "Set aside Nothing.") in text(
        visitor.open("/health")
    )
    held = sum(metric["count"] for metric in metrics.values())
    assert f"{held:,} samples of {len(metrics)} metrics" in text(visitor.open("/health/storage"))
