"""What the browser tests go through is complete: a new page has to be listed."""

from __future__ import annotations

from tests.fixtures.demo_pages import PAGES, are_of
from tests.fixtures.places import page_rules

# Parts that a page asks for itself, and what is seen before a phone is connected or anybody is logged in.
OF_PAGES = {
    "/health/jobs/live",
    "/health/live",
    "/health/quarantine/<int:item_id>/sent",
    "/history/<int:upload_id>/live",
    "/history/files/<delivery_id>/live",
    "/history/live",
    "/keys/pair/<int:key_id>",
    "/keys/pair/<int:key_id>/progress",
    "/login",
    "/settings/appliance/backups",
    "/uploads/feed",
}


def test_every_page_is_opened_in_a_browser(app):
    listed = {rule for rule in page_rules(app) if any(are_of(rule).fullmatch(path) for path in PAGES)}
    assert set(page_rules(app)) - listed == OF_PAGES
