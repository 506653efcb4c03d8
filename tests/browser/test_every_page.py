"""Every page, on a phone and on a wide screen, light and dark: quiet console, nobody else asked, axe content."""

from __future__ import annotations

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from tests.fixtures.browser import DESK, PHONE, a_browser

# What axe finds serious, each with the first place it is at.
AXE = """([within, only]) => axe.run(within, { resultTypes: ["violations"], ...(only && { runOnly: only }) }).then(told =>
  told.violations.filter(each => ["serious", "critical"].includes(each.impact)).map(each => [each.id, each.nodes[0].html]))"""
WHOLE = [{"include": ["html"]}, None]
# In the other theme only colours can differ, and further rows of a list have those of its first; reckoning the
# contrast of every text is what takes longest of all.
COLOURS = [{"exclude": ["li:nth-child(n + 7)", "tr:nth-child(n + 7)"]}, ["color-contrast"]]
SIDEWAYS = "document.documentElement.scrollWidth > innerWidth"
pytestmark = pytest.mark.timeout(600)  # some forty pages, on a machine that may be busy


@pytest.mark.parametrize(
    ("size", "theme", "other"),
    [(PHONE, "light", "dark"), (DESK, "dark", "light")],
    ids=["phone", "desk"],
)
def test_every_page_is_quiet_and_accessible(chromium, demo, logged_in, demo_paths, size, theme, other):
    with a_browser(chromium, demo.url, logged_in, size) as watched:
        watched.page.context.add_init_script(AXE_SCRIPT)
        for path in demo_paths:
            watched.page.emulate_media(color_scheme=theme)
            page = watched.go(path)
            assert not page.evaluate(SIDEWAYS), f"{path} scrolls sideways"
            assert page.evaluate(AXE, WHOLE) == [], f"{path}, {theme}"
            page.emulate_media(color_scheme=other)
            assert page.evaluate(AXE, COLOURS) == [], f"{path}, {other}"
            assert watched.wrong == [], f"{path}, {other}"
