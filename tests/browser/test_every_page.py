"""Every page, light and dark, on a phone and on a wide screen: quiet console, nobody else asked, axe content."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.fixtures.browser import DESK, PHONE, a_browser

PAGES = [
    "/",
    "/sleep",
    "/sleep/over-time",
    "/workouts",
    "/browse",
    "/browse/step_count?range=w&compare=1",
    "/browse/heart_rate",
    "/browse/heart_rate/samples?range=w",
    "/records",
    "/records/ecg",
    "/records/heart",
    "/records/mind",
    "/uploads",
    "/uploads/1",
    "/uploads/1/body",
    "/uploads/1/replay",
    "/keys",
    "/keys/1",
    "/keys/new",
    "/keys/pair",
    "/health",
    "/health/coverage?range=m&metric=step_count",
    "/health/quarantine",
    "/health/storage",
    "/health/jobs",
    "/health/history",
    "/settings",
    "/settings/sources",
    "/settings/people",
    "/settings/appliance",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_every_page_is_quiet_and_accessible(chromium, demo, logged_in, size, scheme):
    with a_browser(chromium, demo, logged_in, size, scheme) as watched:
        for path in PAGES:
            page = watched.go(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                f"{path} scrolls sideways"
            )
            found = [
                (violation["id"], violation["nodes"][0]["html"])
                for violation in Axe().run(page).response["violations"]
                if violation["impact"] in ("serious", "critical")
            ]
            assert found == [], path
