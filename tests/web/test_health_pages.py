"""The pages of data health: what is missing, set aside and kept, and what only owners see."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from appliance.domain.session import LinkPurpose
from appliance.foundation.presence import tray_announced
from tests.fixtures.documents import document, hours, metric, point, steps
from tests.fixtures.visits import client_of, words

EVERYBODYS = ("/health", "/health/coverage", "/health/quarantine", "/health/storage")
OWNERS = ("/health/jobs", "/health/jobs/trim/runs", "/health/history", "/health/history/intake")
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def guest(app, services, visitor):
    """Ben, logged in, who is no owner."""
    ben = services.people.create("Ben", "Europe/Berlin")
    token = services.sessions.link(LinkPurpose.LOGIN, ben.person_id)
    return client_of(app, services.sessions.redeem(token, "127.0.0.1", ""))


def days_before(clock, count: int) -> list[str]:
    return [f"{clock.now().date() - timedelta(days=n):%Y-%m-%d}" for n in range(1, count + 1)]


def test_every_page_opens_with_nothing_held_and_says_what_to_do(visitor):
    for path in EVERYBODYS + OWNERS:
        visitor.open(path)
    assert "Connect a phone" in visitor.open("/health/coverage")
    assert "Nothing is set aside" in visitor.open("/health/quarantine")
    assert visitor.open("/health/history/intake").strip() == "[]"


def test_the_appliance_itself_is_shown_to_owners_alone(guest):
    for path in EVERYBODYS:
        told = guest.get(path)
        assert told.status_code == 200, path
        for sign in ("/health/jobs", "/health/history", "Back up now", "Free on the disk"):
            assert sign not in told.text, (path, sign)
    for path in (*OWNERS, "/health/jobs/live"):
        assert guest.get(path).status_code == 403, path
    own = {"Sec-Fetch-Site": "same-origin"}
    for path in ("/health/jobs/trim/run", "/health/storage/backup"):
        assert guest.post(path, headers=own).status_code == 403, path


def test_a_day_on_which_nothing_came_is_told_with_its_mend(visitor, phone, clock):
    told = days_before(clock, 20)
    quiet = told.pop(4)
    phone.send(
        document(
            metric("step_count", "count", *(point(f"{day} 10:00", 5) for day in told)),
            metric("heart_rate", "count/min", *(point(f"{day} 10:00", 60) for day in told if day != told[8])),
        )
    )
    page = visitor.open("/health/coverage?range=m")
    assert "Nothing arrived of" in page
    assert "Manual Export" in page
    assert f"Nothing arrived of {int(quiet[8:])} " in page
    assert "19<span" in page
    assert "18<span" in page
    overview = visitor.open("/health")
    assert "Days nothing arrived</dt><dd>1<" in overview
    assert "Metrics with further gaps</dt><dd>1<" in overview


def test_a_metric_is_shown_as_a_calendar_whatever_its_name(visitor, phone, clock):
    name = f"{HOSTILE}&\"'"
    phone.send(document(metric(name, "count", point(f"{days_before(clock, 1)[0]} 10:00", 5))))
    page = visitor.open("/health/coverage")
    assert HOSTILE not in page
    link = re.search(r'href="(\?[^"]*metric=[^"]*)#calendar"', page).group(1).replace("&amp;", "&")
    chosen = visitor.open(f"/health/coverage{link}")
    assert "<hb-heatmap" in chosen
    assert HOSTILE not in chosen


def test_what_was_set_aside_is_shown_with_reason_path_mend_and_as_a_file(visitor, phone):
    phone.send(
        document(
            metric("step_count", "count", *hours("2026-08-07", [5])),
            metric("heart_rate", "furlong", point("2026-08-07 10:00", 60, source=HOSTILE)),
        )
    )
    page = visitor.open("/health/quarantine")
    for sign in (
        "Unknown unit",
        "Turn off Use Localized Units",
        "data.metrics",
        "heart_rate",
    ):
        assert sign in page, sign
    part = visitor.open(re.search(r'hx-get="(/health/quarantine/\d+/sent)"', page).group(1))
    assert "&lt;script&gt;" in part
    assert HOSTILE not in part
    assert "Unknown unit" in visitor.open("/health/quarantine?reason=unknown_unit")
    assert "No more items" in visitor.open("/health/quarantine?reason=bad_timestamp")
    for odd in ("reason=odd", "before=x", "before=99999999999999999999", "released=²"):
        visitor.open(f"/health/quarantine?{odd}")
    file = re.search(r'href="(/health/quarantine/\d+)" download', page).group(1)
    sent = visitor.client.get(file)
    assert sent.get_json()["qty"] == 60
    assert sent.headers["Content-Disposition"].startswith("attachment")


def test_another_persons_item_is_not_there(visitor, guest, phone):
    phone.send(document(metric("heart_rate", "furlong", point("2026-08-07 10:00", 60))))
    file = re.search(r'href="(/health/quarantine/\d+)" download', visitor.open("/health/quarantine")).group(1)
    for path in (file, f"{file}/sent"):
        assert guest.get(path).status_code == 404, path
    assert "Nothing is set aside" in guest.get("/health/quarantine").text


def test_trying_again_shows_first_what_it_would_do(visitor, phone):
    phone.send(document(metric("heart_rate", "furlong", point("2026-08-07 10:00", 60))))
    assert 'action="/health/quarantine/retry/try"' in visitor.open("/health/quarantine/retry")
    assert "Nothing would change" in visitor.send("/health/quarantine/retry/try").text
    answer = visitor.send("/health/quarantine/retry")
    assert answer.status_code == 302
    assert "nothing more could be understood" in visitor.open(answer.headers["Location"])


def test_a_job_is_run_at_once_and_told_in_words(visitor):
    before = visitor.open("/health/jobs")
    assert "Not run yet" in before
    answer = visitor.send("/health/jobs/trim/run")
    assert answer.status_code == 302
    told = visitor.open("/health/jobs")
    assert "old notes are removed" in told
    assert "old notes are removed" in visitor.open("/health/jobs/trim/runs")
    poll = re.search(r'hx-get="([^"]+)"', told).group(1)
    assert visitor.client.get(poll).status_code == 204
    visitor.send("/health/jobs/expire_keys/run")
    assert "keys have expired" in visitor.open(poll)
    assert visitor.send("/health/jobs/unheard_of/run").status_code == 404


def test_the_live_part_answers_only_when_something_changed(visitor):
    poll = re.search(r'hx-get="(/health/live[^"]+)"', visitor.open("/health")).group(1)
    assert visitor.client.get(poll).status_code == 204
    assert "<html" not in visitor.open("/health/live?have=old")


def test_storage_counts_what_is_held_as_the_api_does(visitor, phone):
    phone.send(steps(*hours("2026-08-07", [1, 2, 3])))
    page = visitor.open("/health/storage")
    held = sum(each["count"] for each in phone.get("/api/v1/metrics")["items"])
    assert f"{held} <small>samples of 1 metrics" in page.replace("\n", "")
    assert "1 upload, " in page
    assert "There is no backup yet" in page
    assert "Back up now" in page


def test_history_tells_the_course_of_counters(services, visitor, phone, clock):
    services.own_metrics.snapshot()
    phone.send(steps(*hours("2026-08-07", [1, 2, 3])))
    clock.advance(hours=1)
    services.own_metrics.snapshot()
    told = visitor.client.get("/health/history/intake").get_json()
    assert [round(each["value"]) for each in told] == [3]
    clock.advance(hours=5)
    services.own_metrics.snapshot()
    told = visitor.client.get("/health/history/intake").get_json()
    assert [each["value"] for each in told[1:]] == [None, 0], "a pause breaks the line"
    level = visitor.client.get("/health/history/database?range=d").get_json()
    assert level[-1]["value"] > 1
    assert visitor.client.get("/health/history/nothing").status_code == 404
    assert len(visitor.open("/health/history").split("<hb-series")) == 9


def test_the_overview_says_whether_there_is_an_icon_and_why_not(visitor, services, guest):
    folder = services.settings.data_dir
    assert "the tray is not started" in words(visitor.open("/health"))
    with tray_announced(folder, "none", "This desktop has no tray."):
        shown = words(visitor.open("/health"))
    assert "No icon beside the clock: This desktop has no tray." in shown
    with tray_announced(folder, "dbus", ""):
        shown = words(visitor.open("/health"))
    assert "The icon beside the clock is there" in shown
    assert "tells this network no name" in shown
    assert "beside the clock" not in guest.get("/health").text


def test_a_silent_phone_is_told_over_every_page(visitor, services, phone, ask, clock):
    phone.send(steps(point("2026-08-07 10:00:00 +0200", 11)))
    strip = re.compile(r'<p class="strip">.*?</p>', re.DOTALL)
    assert "Receiving" in strip.search(visitor.open("/sleep"))[0]
    ask("UPDATE api_key SET name = :name", name=HOSTILE)
    ask(
        "INSERT INTO silence (person_id, key_id, automation_id, automation_name, last_new_at, usual_gap_s, silent_since,"
        " checked_at) SELECT person_id, key_id, 'a', 'a', :at, 60, :at, :at FROM api_key",
        at=clock.now(),
    )
    told = strip.search(visitor.open("/sleep"))[0]
    assert "Nothing new for longer than usual from &lt;script&gt;" in told
    assert '<span class="dot warn">' in told
