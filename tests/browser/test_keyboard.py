"""Everything that can be pressed, chosen or opened is reached and worked by keys alone, on every page."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from playwright.sync_api import Page

# What a mouse could work with and is to be seen now. Of choices of one name only the chosen one is a stop.
STOPS = """() => {
  const all = 'a[href], button, input, select, textarea, summary, [tabindex], [data-opens], [data-copies], [role=button]';
  window.stops = [...document.querySelectorAll(all)].filter(each =>
    each.checkVisibility({ visibilityProperty: true }) && !each.disabled && each.getAttribute('tabindex') !== '-1' &&
    !(each.type === 'radio' && !each.checked && document.querySelector(`[name="${each.name}"]:checked`)));
  window.reached = new Map();
  document.addEventListener('focusin', ({ target }) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(target);
    reached.set(target, (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none');
  });
  document.activeElement?.blur();
  return stops.length;
}"""
LEFT = """() => [stops.filter(each => !reached.has(each)), stops.filter(each => reached.get(each) === false)]
  .map(some => some.map(each => each.outerHTML.slice(0, 120)))"""
CHARTS = "hb-series, hb-bars, hb-night, hb-heatmap, hb-route, hb-ecg"
FOCUSED = "document.activeElement"


@pytest.mark.timeout(600)  # some forty pages, on a machine that may be busy
def test_every_part_of_every_page_is_reached_and_every_chart_is_read_by_keys(desk, demo_paths):
    read: set[str] = set()
    for path in demo_paths:
        page = desk.go(path)
        # Dates have a stop for each of their parts.
        for _ in range(page.evaluate(STOPS) + 3 * page.locator("input[type=date]:visible").count()):
            page.keyboard.press("Tab")
        unreached, unseen = page.evaluate(LEFT)
        assert unreached == [], path
        assert unseen == [], f"{path}: no sign that it has the focus"
        read |= charts_read(page)
    assert read == set(CHARTS.split(", "))


def charts_read(page: Page) -> set[str]:
    """Read every chart of a page that has something to tell, value and table, and return their names."""
    read = set()
    for chart in page.locator(CHARTS).all():
        picture, table = chart.locator(".chart-picture"), chart.get_by_role("button", name="as a table")
        if not table.is_visible():  # it says that nothing was recorded, or is folded away
            continue
        picture.focus()
        page.keyboard.press("End")
        assert chart.locator(".chart-words.is-reading, .chart-words .is-reading").count(), page.url
        table.focus()
        page.keyboard.press("Enter")
        assert chart.locator("tbody tr").count(), page.url
        page.keyboard.press("Enter")
        assert picture.is_visible(), page.url
        read.add(chart.evaluate("chart => chart.localName"))
    return read


def test_the_first_stop_leads_past_the_navigation(desk):
    page = desk.go("/browse")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate(f"{FOCUSED}.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate(f"document.getElementById('content').contains({FOCUSED})")


def test_menus_open_and_close_by_keys_and_give_the_focus_back(desk):
    for path in ("/", "/sleep", "/browse/step_count"):
        page = desk.go(path)
        menus = page.locator("details.menu:visible > summary")
        assert menus.count() >= 2
        for menu in menus.all():
            menu.focus()
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            assert page.evaluate(f"{FOCUSED}.closest('details[open]') !== null"), path
            page.keyboard.press("Escape")
            assert page.locator("details.menu[open]").count() == 0
            assert menu.evaluate(f"summary => summary === {FOCUSED}")


def test_dialogs_open_and_close_by_keys_and_give_the_focus_back(desk):
    opened = 0
    for path in ("/keys/1", "/settings/people"):
        page = desk.go(path)
        for folded in page.locator("main details:not([open]) > summary").all():
            folded.focus()
            page.keyboard.press("Enter")
        for button in page.locator("[data-opens]:visible").all():
            for leave in ("Escape", "button"):
                button.focus()
                page.keyboard.press("Enter")
                dialog = page.locator("dialog[open]")
                assert dialog.count() == 1
                assert page.evaluate(f"{FOCUSED}.closest('dialog[open]') !== null")
                if leave == "button":
                    dialog.locator("[data-closes]").focus()
                page.keyboard.press("Enter" if leave == "button" else leave)
                dialog.wait_for(state="hidden")
                assert button.evaluate(f"button => button === {FOCUSED}"), f"{path}, left by {leave}"
            opened += 1
    assert opened >= 2


def test_the_time_shown_is_chosen_by_keys(desk):
    page = desk.go("/browse/step_count?range=m")
    page.get_by_role("link", name="Week", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/browse/step_count?range=w")
    page.get_by_role("link", name="Earlier").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**range=w&end=*")
    end = date.fromisoformat(page.url.rpartition("end=")[2])
    # A day that every month has, and that has one before it.
    start = next(day for day in (end - timedelta(days=n) for n in range(6, 11)) if 2 <= day.day <= 28)
    page = desk.go(f"/browse/step_count?start={start}&end={end}")
    page.get_by_text("Other days").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate(f"{FOCUSED}.name") == "start"
    before = page.locator("input[name=start]").input_value()
    page.keyboard.press("ArrowDown")  # of day or month, whichever the browser's language has first
    first = page.locator("input[name=start]").input_value()
    assert first != before
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"start={first}&end="))
