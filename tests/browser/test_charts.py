"""The charts in a real browser, fed with made-up answers under the dashboard's own content policy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route

from tests.fixtures.browser import SETTLED
from web.assets import BUILT, head
from web.frame import POLICY

HOST = "http://charts.test"
HOSTILE = "<img src=x onerror=alert(1)>"
WINDOW = "start=2026-08-01&end=2026-08-20"
TYPES = {".js": "text/javascript", ".css": "text/css"}

DAYS = [
    {"start": f"2026-08-{day:02}T00:00:00+02:00", "value": 50 + day, "min": 40, "max": 90 + day, "count": 9}
    for day in range(1, 21)
    if day != 7
]
RIDE = [f"2026-08-07T10:0{minute}:00+02:00" for minute in range(10)]
ROUTE = {
    "type": "Feature",
    "geometry": {"type": "LineString", "coordinates": [[10 + n / 500, 50, 100 + n] for n in range(10)]},
    "properties": {"coordinateProperties": {"times": RIDE, "heart_rate": [100 + n for n in range(10)]}},
}
CURVE = {"name": "heart_rate", "at": RIDE, "channels": {"value": [100 + n for n in range(10)]}}
ECG = {
    "start": "2026-08-07T10:00:00+02:00",
    "label": HOSTILE,
    "source": HOSTILE,
    "content": {"average_heart_rate": 61, "classification": HOSTILE},
    "voltages": [100 * (n % 500 == 250) for n in range(15_000)],
    "units": "mcV",
    "sampling_frequency": 500,
    "voltage_start": "2026-08-07T10:00:00+02:00",
    "at": [],
}


def _segment(start: str, end: str, stage: str) -> dict[str, str]:
    return {"start": f"2026-08-07T{start}:00+02:00", "end": f"2026-08-07T{end}:00+02:00", "stage": stage}


def _session(*segments: dict[str, str], is_nap: bool = False) -> dict[str, object]:
    ends = {"start": segments[0]["start"], "end": segments[-1]["end"]}
    return {**ends, "in_bed_start": None, "in_bed_end": None, "is_nap": is_nap, "segments": segments}


NIGHT = {
    "tellings": [
        {
            "source": HOSTILE,
            "shown": True,
            "sessions": [
                _session(
                    _segment("00:00", "01:00", "core"),
                    _segment("01:00", "02:30", "deep"),
                    _segment("02:30", "06:00", "rem"),
                ),
                _session(_segment("14:00", "14:30", "asleep"), is_nap=True),
            ],
        }
    ]
}
ANSWERS = {"days": DAYS, "route": ROUTE, "curve": CURVE, "ecg": ECG, "night": NIGHT, "nothing": []}
ANSWERS["pulse"] = {
    "items": [
        {"start": f"2026-08-07T0{hour}:30:00+02:00", "value": 50 + hour, "source": HOSTILE}
        for hour in range(6)
    ],
    "next": None,
}

# Cumulative layout shift, as browsers report it: below 0.1 counts as good.
COUNT_SHIFTS = """window.shifts = 0; new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true })"""

Show = Callable[..., Page]


@pytest.fixture
def show(chromium: Browser) -> Iterator[Show]:
    """Shows HTML as a page of ours: `show(html, size=…)`; whatever the console has to say fails the test."""
    contexts = []
    wrong: list[str] = []
    page_of: dict[str, str] = {}

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(f"{HOST}/").split("?")[0]
        if name == "page":
            headers = {"Content-Type": "text/html", "Content-Security-Policy": POLICY}
            route.fulfill(status=200, headers=headers, body=page_of["html"])
        elif name.startswith("assets/"):
            file = BUILT / name.removeprefix("assets/")
            route.fulfill(status=200, headers={"Content-Type": TYPES[file.suffix]}, body=file.read_bytes())
        elif name in ANSWERS:
            route.fulfill(
                status=200, headers={"Content-Type": "application/json"}, body=json.dumps(ANSWERS[name])
            )
        else:
            wrong.append(f"asked for {name}")
            route.abort()

    def shown(html: str, size: tuple[int, int] = (1000, 800), scheme: str = "light") -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        context.route("**/*", answer)
        page = context.new_page()
        page.add_init_script(COUNT_SHIFTS)
        page.on("console", lambda message: wrong.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page_of["html"] = (
            f'<!doctype html><html lang="en"><title>Charts</title>{head()}<main><h1>Charts</h1>{html}</main>'
        )
        page.goto(f"{HOST}/page")
        page.wait_for_function(SETTLED)
        return page

    yield shown
    for context in contexts:
        context.close()
    assert wrong == []


SERIES = f'<hb-series label="Pulse" src="/days?{WINDOW}" unit="bpm" kind="heart"></hb-series>'
EVERY = f"""{SERIES}
<hb-bars label="Steps" src="/days?{WINDOW}" goal="60" kind="activity"></hb-bars>
<hb-bars label="Stacked" src="/days?{WINDOW} /days?{WINDOW}" names="One,Two" kinds="sleep,heart"></hb-bars>
<hb-heatmap label="Week" src="/days"></hb-heatmap>
<hb-heatmap label="Calendar" mode="calendar" src="/days?{WINDOW}"></hb-heatmap>
<hb-night label="Night" src="/night" overlay="/pulse" names="Pulse" kinds="heart" unit="bpm"></hb-night>
<hb-route label="Route" src="/route"></hb-route>
<hb-ecg label="ECG" src="/ecg"></hb-ecg>
<hb-series label="Nothing" src="/nothing"></hb-series>"""


def read(page: Page, chart: str) -> str:
    """Return what the readout of a chart says."""
    return page.locator(f"{chart} .chart-words p").last.inner_text()


@pytest.mark.parametrize("size", [(390, 844), (1440, 900)], ids=["phone", "desk"])
def test_every_chart_is_accessible_and_moves_nothing_when_it_comes(show, size):
    page = show(EVERY, size, "dark" if size[0] < 500 else "light")
    assert page.locator("canvas").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("shifts") < 0.05
    found = [
        (violation["id"], violation["nodes"][0]["html"])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert found == []
    assert "Nothing was recorded" in page.locator("hb-series").last.inner_text()
    assert page.locator("main img").count() == 0


def test_values_are_read_by_keys_as_a_table_and_as_a_file(show):
    page = show(SERIES)
    picture = page.locator("hb-series .chart-picture")
    picture.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert read(page, "hb-series").startswith("Wed, 19 Aug 2026 69 bpm")
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")
    assert "12 Aug" in read(page, "hb-series")  # the 11th value; the 7th day has none
    page.get_by_role("button", name="Pulse as a table").click()
    assert page.locator("hb-series tbody tr").count() == len(DAYS)
    with page.expect_download() as download:
        page.get_by_role("button", name="Pulse as a CSV file").click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0] == "Time,Value,Lowest,Highest,Samples"
    assert lines[1] == '"Sat, 1 Aug 2026",51 bpm,40 bpm,91 bpm,9'
    assert len(lines) == len(DAYS) + 1


def test_a_zoomed_chart_has_a_way_back_by_button_and_by_key(show):
    page = show(SERIES)
    back = page.get_by_role("button", name="Show all again")
    assert back.is_disabled()
    page.get_by_role("button", name="Zoom in").click()
    assert back.is_enabled()
    back.click()
    assert back.is_disabled()
    page.locator("hb-series .chart-picture").focus()
    page.keyboard.press("End")
    page.keyboard.press("+")
    assert back.is_enabled()
    page.keyboard.press("0")
    assert back.is_disabled()


def test_charts_of_one_workout_point_at_the_same_instant(show):
    page = show(
        '<hb-route label="Route" src="/route" sync="ride"></hb-route>'
        '<hb-series label="Pulse" bucket="moment" src="/curve" sync="ride" unit="bpm"></hb-series>'
    )
    page.locator("hb-series .chart-picture").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert "10:03:00 103 bpm" in read(page, "hb-series")
    assert "10:03:00" in read(page, "hb-route")
    here = page.locator("hb-route .route-here")
    assert here.get_attribute("visibility") == "visible"
    page.locator("hb-series .chart-picture").blur()
    assert here.get_attribute("visibility") == "hidden"


def test_a_night_reads_its_stages_with_what_was_measured_in_them_and_offers_its_nap(show):
    page = show('<hb-night label="Night" src="/night" overlay="/pulse" names="Pulse" unit="bpm"></hb-night>')
    page.locator("hb-night .chart-picture").focus()
    page.keyboard.press("End")
    assert read(page, "hb-night").startswith("02:30 – 06:00 REM · Length 3 h 30 min · Pulse, average")
    assert read(page, "hb-night").endswith("54 bpm")  # 53, 54 and 55 fell into it; 02:30 belongs to it too
    page.get_by_label("Show").select_option(label="Nap, 14:00 – 14:30")
    assert "Asleep 30 min" in page.locator("hb-night .chart-words").inner_text()


def test_a_chart_taken_out_and_put_back_is_drawn_once_more_and_nothing_stays_behind(show):
    page = show(SERIES)
    page.evaluate("() => { window.chart = document.querySelector('hb-series'); window.chart.remove(); }")
    assert page.evaluate("window.chart.querySelector('canvas')") is None
    page.evaluate("() => document.querySelector('main').append(window.chart)")
    page.wait_for_selector("hb-series canvas")
    assert page.locator("canvas").count() == 1


def test_colours_follow_the_theme_at_once(show):
    page = show(SERIES)
    picture = "document.querySelector('canvas').toDataURL()"
    light = page.evaluate(picture)
    page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
    page.wait_for_function(f"before => {picture} !== before", arg=light)


def test_an_ecg_is_printed_on_one_page_at_its_true_size(show):
    page = show(f'<p>{"words " * 3_000}</p><hb-ecg label="ECG" src="/ecg"></hb-ecg>', (390, 844))
    assert page.locator(".ecg-strip").count() == 10  # strips of 3 s fit a phone
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.count(b"/Type /Page\n") == 1
    page.set_viewport_size({"width": 1000, "height": 700})
    page.emulate_media(media="print")
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    strips = page.locator(".ecg-strip")
    assert strips.count() == 3
    box = strips.first.bounding_box()
    assert box["width"] * 25.4 / 96 == pytest.approx(250, abs=0.5)  # half a pixel of line beyond its edges
    assert page.locator(".ecg-head").inner_text().count(HOSTILE) == 2  # as text
    page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator("html").get_attribute("data-theme") is None


def test_two_marks_on_an_ecg_measure_between_them(show):
    page = show('<hb-ecg label="ECG" src="/ecg"></hb-ecg>')
    page.locator("hb-ecg .chart-picture").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("PageDown")
    page.keyboard.press("Enter")
    assert page.locator(".ecg-measured").inner_text() == "800 ms · 75 a minute · 0.000 mV"
    assert page.locator(".ecg-marks path").count() == 2
