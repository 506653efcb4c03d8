"""A real browser between the house and other pages: own forms work over plain HTTP at home, foreign ones and frames never."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route

from appliance.api.uploads import UPLOAD_PATHS
from appliance.domain.session import COOKIE
from appliance.foundation.network import lan_address
from tests.fixtures.browser import a_browser
from tests.fixtures.served import AT_HOME
from tests.fixtures.visits import PASSWORD, set_up

ANOTHER_PORT = 8099  # nobody has to listen there: what stands at foreign addresses is answered for them


@pytest.fixture(params=["127.0.0.1", AT_HOME])
def house(request, served, services) -> str:
    """The address of a house that is set up: to a browser a trustworthy origin, and one that is none."""
    set_up(services)
    return served.at(request.param)


@pytest.fixture
def stranger(chromium: Browser, house: str, services) -> Iterator[Page]:
    """A browser logged in to the house, in which every address but the house's own holds a stranger's page."""
    context = chromium.new_context()
    session = services.sessions.log_in("", PASSWORD, "127.0.0.1", "")
    context.add_cookies([{"name": COOKIE, "value": session.token, "url": house, "sameSite": "Lax"}])

    def answer(route: Route) -> None:
        route.fulfill(status=200, content_type="text/html", body="<!doctype html><title>Stranger</title>")

    context.route(lambda url: not url.startswith(f"{house}/"), answer)
    yield context.new_page()
    context.close()


def sent_by_form(page: Page, address: str) -> int:
    """Have the page post a form to an address, and return the status of the answer."""
    with page.expect_navigation() as answered:
        page.evaluate(
            """address => {
              const form = document.createElement("form");
              Object.assign(form, { method: "post", action: address });
              document.body.append(form);
              form.submit();
            }""",
            address,
        )
    return answered.value.status


def sent_at_once(page: Page, addresses: list[str]) -> dict[str, int]:
    """Have the page post to every address what a form would, cookies and all, and return the answers' statuses."""
    told: dict[str, int] = {}
    page.on("response", lambda answer: told.update({answer.url: answer.status}))
    page.evaluate(
        """addresses => Promise.allSettled(addresses.map(address => fetch(address, {
          method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({ name: "x" }),
        })))""",
        addresses,
    )
    return told


def beside(house: str) -> str:
    """Return a page of the same machine that is not the house's."""
    return f"{house.rpartition(':')[0]}:{ANOTHER_PORT}/"


def filled(path: str) -> str:
    return re.sub(r"<(?:\w+:)?\w+>", "1", path)


def test_the_dashboard_works_over_plain_http_at_an_address_on_the_home_network(chromium, served, services):
    host = lan_address() or AT_HOME
    person_id = set_up(services).person_id
    with a_browser(chromium, served.at(host), None) as watched:
        page = watched.go("/settings")
        assert page.evaluate("!isSecureContext")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_label("Miles, pounds, °F").check()
        page.get_by_role("region", name="How numbers are shown").get_by_role("button", name="Save").click()
        page.get_by_role("status").filter(has_text="shown that way").wait_for()
        assert services.sessions.preferences(person_id).units == "imperial"
        page.locator(".shell-nav summary").click()
        page.get_by_role("button", name="Dark").click()
        page.wait_for_selector("html[data-theme=dark]")
        page.locator(".shell-nav summary").click()
        page.get_by_role("button", name="Log out", exact=True).click()
        page.get_by_label("Password").wait_for()
        assert watched.wrong == []


def test_no_post_of_another_page_changes_anything(app, house, stranger, services):
    """From another port of the same machine, whose pages the browser lets have the house's cookie (“same site”)."""
    before = services.sessions.faces()
    stranger.goto(beside(house))
    paths = {
        f"{house}{filled(rule.rule)}": rule.rule
        for rule in app.url_map.iter_rules()
        if "POST" in rule.methods
    }
    answers = {paths[address]: status for address, status in sent_at_once(stranger, list(paths)).items()}
    assert len(answers) > 30
    # An upload never looks at a cookie: what it misses is a key.
    assert {
        path: told for path, told in answers.items() if told != (401 if path in UPLOAD_PATHS else 403)
    } == {}
    assert services.sessions.faces() == before
    assert stranger.goto(f"{house}/settings").url == f"{house}/settings"


def test_no_script_of_another_page_changes_anything(house, stranger):
    for page in (beside(house), "http://evil.example/"):
        stranger.goto(page)
        for method in ("PUT", "PATCH", "DELETE"):
            told = stranger.evaluate(
                """async ([method, address]) => {
                  try { return (await fetch(address, { method, credentials: "include", body: "{}" })).status }
                  catch (error) { return String(error) }
                }""",
                [method, f"{house}/api/v1/keys/1"],
            )
            assert told == "TypeError: Failed to fetch", (page, method)


def test_no_page_from_elsewhere_logs_anybody_out(house, stranger):
    for page in (beside(house), "http://evil.example/", "data:text/html,<body>"):
        stranger.goto(page)
        assert sent_by_form(stranger, f"{house}/logout") == 403, page
    assert stranger.goto(f"{house}/settings").url == f"{house}/settings"


def test_nothing_can_be_put_into_a_frame_of_another_page(house, stranger):
    stranger.goto(beside(house))
    framed = """address => new Promise(done => {
      const frame = document.createElement("iframe");
      Object.assign(frame, { src: address, onload: done });
      document.body.append(frame);
    })"""
    stranger.evaluate(framed, f"{beside(house)}framed")
    assert stranger.frames[-1].url == f"{beside(house)}framed"  # what allows it, can be
    for path in ("/", "/login", "/keys/new", "/nowhere", "/api/v1/docs", "/api/v1/metrics"):
        stranger.evaluate(framed, f"{house}{path}")
        assert stranger.frames[-1].url == "chrome-error://chromewebdata/", path
