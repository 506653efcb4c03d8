"""Texts that mean harm, in every place that takes one, on every page that shows one: nothing runs, all is text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from appliance.domain.key import Scope
from appliance.domain.preferences import Preferences
from appliance.domain.session import COOKIE, LinkPurpose
from tests.fixtures.browser import SETTLED, Watched, a_browser
from tests.fixtures.house import Phone, a_phone
from tests.fixtures.places import a_life, a_past, page_rules, path_to_things_of
from tests.fixtures.visits import PASSWORD
from web.pages.records import SHOWN_COOKIE

# A formula to a spreadsheet; to a page that does not escape, an end of every attribute and of every element that
# holds text, and then what runs by itself.
EVIL = "=1+1<b>\"'></p></title></textarea><img src=x onerror=alert(1)><script>alert(2)</script>"
SEEN = EVIL[:7]  # long names are cut on some pages

# Before any script of a page, so that whatever runs is noticed, however quietly.
WATCH = (
    "window.ran = []; for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => ran.push(name);"
)
INJECTED = """() => [...ran, ...document.querySelectorAll('img[src="x"], script:not([src]), [onerror]')].map(String)"""
UNFOLD = """() => {
  for (const folded of document.querySelectorAll('details')) folded.open = true;
  for (const picture of document.querySelectorAll('.chart-picture')) {
    picture.dispatchEvent(new KeyboardEvent('keydown', { key: 'End' }));
    picture.closest('figure').querySelector('button[aria-pressed]').click();
  }
}"""

# Pages whose content shows no word of a phone: bare numbers, words of ours, and metrics, whose names are made plain.
WORDLESS = {
    "/",
    "/browse?q={}",
    "/health",
    "/health/coverage",
    "/health/coverage?range=all&metric={}",
    "/health/history",
    "/health/jobs",
    "/health/jobs/<name>/runs",
    "/health/jobs/live",
    "/health/live",
    "/health/quarantine/retry",
    "/health/storage",
    "/history/files/<delivery_id>/live",
    "/login",
    "/login?next={}",
    "/workouts?range=all&type={}",
    "/settings/appliance",
    "/settings/appliance/backups",
    "/uploads/<int:upload_id>/replay",
}
QUESTIONS = (
    "/?date=2026-08-07",
    "/browse?q={}",
    "/health/coverage?range=all&metric={}",
    "/login?next={}",
    "/records/ecg?range=all",
    "/records/medications?range=all",
    "/records/mind?range=all",
    "/records/cycle?range=all",
    "/sleep?night={}",
    "/uploads?automation={}",
    "/workouts?range=all&q={}",
    "/workouts?range=all&type={}",
)


@pytest.fixture
def haunted(app, services, phone, ask, tmp_path) -> tuple[Phone, int, str, str, str]:
    """Somebody who has that text everywhere: their phone, who they are, their session, a code for a phone, a file."""
    session = services.sessions.set_up(
        services.sessions.link(LinkPurpose.SETUP),
        name=EVIL,
        time_zone="Europe/Berlin",
        password=PASSWORD,
        preferences=Preferences(),
        address="127.0.0.1",
        browser=EVIL,
    )
    services.sessions.log_in("", PASSWORD, EVIL, EVIL)
    services.people.create(f"{EVIL}2")
    haunting = a_phone(app, services, EVIL, list(Scope))
    a_life(haunting, EVIL)
    invitation = services.pairing.begin(EVIL, session.person_id, session.person_id)
    delivery = a_past(services, session.person_id, tmp_path, EVIL)
    return haunting, session.person_id, session.token, invitation.token, delivery.delivery_id


@pytest.fixture
def unguarded(chromium, haunted, served) -> Iterator[Watched]:
    """A browser that is logged in, without the content policy's help: the pages themselves must keep text text."""
    with a_browser(chromium, served.url, None, bypass_csp=True) as watched:
        context = watched.page.context
        context.add_init_script(WATCH)
        for name, value in ((COOKIE, haunted[2]), (SHOWN_COOKIE, "shown")):
            context.add_cookies([{"name": name, "value": value, "url": served.url}])
        yield watched


def test_no_text_of_a_phone_or_a_person_runs_on_any_page(app, ask, haunted, unguarded):
    _, person_id, _, token, delivery_id = haunted
    paths = {rule: path_to_things_of(person_id, rule, ask) for rule in page_rules(app)}
    paths |= {path: path.format(quote(EVIL)) for path in QUESTIONS} | {"/pair/": f"/pair/{token}"}
    paths |= {rule: rule.replace("<delivery_id>", delivery_id) for rule in paths if "<delivery_id>" in rule}
    silent = set()
    for rule, path in paths.items():
        encoded = quote(path, safe="/?&=%+")
        page = unguarded.go(encoded if "?" in path else f"{encoded}?range=all")
        page.evaluate(UNFOLD)
        page.wait_for_function(SETTLED)
        assert page.evaluate(INJECTED) == [], path
        assert unguarded.wrong == [], path
        if SEEN not in page.evaluate("(document.querySelector('main') ?? document.body).textContent"):
            silent.add(rule)
    assert silent - WORDLESS == set(), "these show nothing of what they are to be tried with"


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_no_cell_of_an_export_runs_in_a_spreadsheet(ask, haunted):
    phone, person_id, *_ = haunted
    workout = path_to_things_of(person_id, "/workouts/<int:workout_id>/curves.csv", ask)
    phone.client.set_cookie(COOKIE, haunted[2])
    cells = []
    for path in ("/api/v1/export?format=csv", workout):
        answer = phone.client.get(path)
        assert answer.status_code == 200, path
        cells += [cell for row in csv.reader(io.StringIO(answer.text)) for cell in row]
    assert f"'{EVIL}" in cells
    running = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [cell for cell in running if not is_number(cell)] == []
