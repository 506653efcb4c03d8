"""How fast the dashboard is with a year held: the server's time a page, and what a browser shows when.

Three million samples of one person: the demo's made-up life of a year, and five metrics by the minute beside it, all
sent through HTTP as a phone sends them. Every page is asked for three ways: *new* after an upload that changed some of
what it shows, so that no remembered answer fits; *again*, as most visits are; and in Chromium, on a wide screen, with
nothing kept from before: when something is first painted, and when the first chart is drawn. The processor time that
the program itself takes for a page again stands beside, because a busy machine does not change it much.
"""

from __future__ import annotations

import http.client
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import psutil
from playwright.sync_api import Browser, sync_playwright

from appliance.demo.life import posts
from tests.bench.intake import _document, _poster, _text
from tests.fixtures.browser import chromium_program
from tests.fixtures.program import Program, Starter, hearthbeat

DAYS = 365
ROUNDS = 5
ASKED_FOR_CPU = 20
PASSWORD = "correct horse"
ZONE = ZoneInfo("Europe/Berlin")
BY_MINUTE = (
    ("heart_rate", "count/min"),
    ("respiratory_rate", "count/min"),
    ("physical_effort", "kcal/hr·kg"),
    ("environmental_audio_exposure", "dBASPL"),
    ("headphone_audio_exposure", "dBASPL"),
)
PAGES = (
    "/",
    "/browse",
    "/browse/heart_rate",
    "/browse/heart_rate?range=y",
    "/browse/heart_rate?range=d",
    "/browse/step_count?range=y&compare=1",
    "/sleep",
    "/sleep/over-time",
    "/workouts",
    "/workouts?range=y",
    "/records",
    "/uploads",
    "/keys",
    "/health",
    "/health/coverage",
    "/health/coverage?range=y",
    "/health/quarantine",
    "/health/storage",
    "/health/jobs",
    "/health/history",
    "/settings",
    "/settings/sources",
    "/settings/appliance",
)
CHART = "hb-series, hb-bars, hb-night, hb-heatmap, hb-route, hb-ecg"
_DRAWN = f"""() => ![...document.querySelectorAll("{CHART}")].length
    || [...document.querySelectorAll("{CHART}")].some((chart) => chart.querySelector(".chart-picture svg, .chart-picture canvas, .chart-message"))"""


def run() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="hb-bench-") as folder:
        start = Starter()
        try:
            program = start(
                Path(folder) / "data", "--log-level", "warning", "--limit-requests-per-hour", "100000"
            )
            key = hearthbeat("key", "create", "bench", "--scope", "ingest,read", data_dir=program.data_dir)
            post = _poster(program.url, key.stdout.strip())
            _fill(post)
            cookie = _log_in(program)
            _time_server(program, cookie, post)
            _time_browser(program, cookie)
        finally:
            start.end_all()


def _fill(post: Callable[[bytes, str], dict[str, Any]]) -> None:
    begun, held = time.perf_counter(), 0
    now = datetime.now(ZONE)
    for each in posts(until=now, zone=ZONE, days=DAYS):
        told = post(
            json.dumps(each.body, ensure_ascii=False).encode(), each.headers.get("automation-aggregation", "")
        )
        held += told["counts"]["stored"]
    generator = random.Random(7)
    for day in range(0, DAYS, 7):
        held += post(_week(now - timedelta(days=DAYS - day), now, generator), "Minutes")["counts"]["stored"]
    print(f"{held:,} items of {DAYS} days held after {time.perf_counter() - begun:.0f} s")


def _week(start: datetime, now: datetime, generator: random.Random) -> bytes:
    minutes = [start + timedelta(minutes=n) for n in range(7 * 24 * 60)]
    dates = [_text(at.astimezone(UTC)) for at in minutes if at < now]
    return _document(
        {
            "name": name,
            "units": unit,
            "data": [
                {"date": date, "qty": round(40 + 35 * generator.random(), 1), "source": "Anna’s Apple Watch"}
                for date in dates
            ],
        }
        for name, unit in BY_MINUTE
    )


def _log_in(program: Program) -> str:
    link = urlsplit(hearthbeat("login", data_dir=program.data_dir).stdout.strip())
    form = {
        "name": "me",
        "time_zone": "Europe/Berlin",
        "password": PASSWORD,
        "units": "metric",
        "energy": "kcal",
    }
    connection = _connected(program)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    connection.request("POST", link.path, urlencode(form), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 302, text[-2000:]
    return (answer.getheader("Set-Cookie") or "").partition(";")[0]


def _time_server(program: Program, cookie: str, post: Callable[[bytes, str], dict[str, Any]]) -> None:
    connection = _connected(program)

    def ask(path: str) -> float:
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie, "Accept-Encoding": "identity"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, (path, answer.status)
        return (time.perf_counter() - begun) * 1000

    for path in PAGES:  # templates are compiled and plans made by the first visit
        ask(path)
    new: dict[str, list[float]] = {path: [] for path in PAGES}
    again: dict[str, list[float]] = {path: [] for path in PAGES}
    for turn in range(ROUNDS):
        for path in PAGES:
            at = datetime.now(ZONE) - timedelta(minutes=5, seconds=turn)
            item = {"date": _text(at), "qty": 61 + turn, "source": "Anna’s Apple Watch"}
            names = (("heart_rate", "count/min"), ("step_count", "count"))
            post(_document({"name": name, "units": unit, "data": [item]} for name, unit in names), "")
            new[path].append(ask(path))
            again[path] += [ask(path) for _ in range(3)]
    process = psutil.Process(program.process.pid)
    print(f"\n{'server, ms':<42}{'new':>8}{'worst':>8}{'again':>8}{'worst':>8}{'CPU':>8}")
    for path in PAGES:
        spent = sum(process.cpu_times()[:2])
        for _ in range(ASKED_FOR_CPU):
            ask(path)
        cpu = (sum(process.cpu_times()[:2]) - spent) * 1000 / ASKED_FOR_CPU
        print(
            f"{path:<42}{statistics.median(new[path]):8.0f}{max(new[path]):8.0f}"
            f"{statistics.median(again[path]):8.0f}{max(again[path]):8.0f}{cpu:8.0f}"
        )


def _time_browser(program: Program, cookie: str) -> None:
    print(f"\n{'browser, ms':<42}{'painted':>9}{'chart':>9}{'kB sent':>9}{'of it JS':>9}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_program(), args=["--disable-background-networking"]
        )
        for path in PAGES:
            painted, chart, sent, script = zip(
                *(_seen(browser, program, cookie, path) for _ in range(3)), strict=True
            )
            print(
                f"{path:<42}{statistics.median(painted):9.0f}{statistics.median(chart):9.0f}"
                f"{statistics.median(sent) / 1000:9.0f}{statistics.median(script) / 1000:9.0f}"
            )
        browser.close()


def _seen(browser: Browser, program: Program, cookie: str, path: str) -> tuple[float, float, float, float]:
    """Return when something was painted and a chart drawn (ms; at once without charts), and the bytes sent, all and JS."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    name, _, value = cookie.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": program.url}])
    page = context.new_page()
    page.goto(program.url.rstrip("/") + path, wait_until="commit")
    page.wait_for_function(_DRAWN, polling=10)
    page.wait_for_load_state("load")
    drawn = page.evaluate("performance.now()") if page.locator(CHART).count() else 0.0
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length", polling=10)
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.wait_for_load_state("networkidle")
    sent, script = page.evaluate(
        """() => {
            const all = performance.getEntriesByType("resource");
            const size = (some) => some.reduce((sum, each) => sum + each.transferSize, 0);
            return [size(all) + performance.getEntriesByType("navigation")[0].transferSize, size(all.filter((each) => each.name.endsWith(".js")))];
        }"""
    )
    context.close()
    return painted, drawn, sent, script


def _connected(program: Program) -> http.client.HTTPConnection:
    address = urlsplit(program.url)
    return http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=120)
