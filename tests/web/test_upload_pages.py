"""The pages of uploads: the live feed, the receipt with all that belongs to it, the bytes, and reading again."""

from __future__ import annotations

import gzip
import json
import re
from datetime import timedelta

import pytest

from appliance.storage.silence import stay_awake
from tests.fixtures.documents import document, hours, metric, point, steps
from tests.fixtures.house import a_phone

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202etxet", "x" * 10_000]


def feed_of(told: str) -> str:
    return re.search(r'hx-get="([^"]+)"', told).group(1).replace("&amp;", "&")


def test_the_feed_is_asked_again_and_answers_only_when_something_is_new(visitor, phone):
    assert "Nothing has arrived yet" in visitor.open("/uploads")
    first = phone.send(steps(*hours("2026-08-07", [1, 2])), automation_name="Sums", automation_period="Today")
    told = visitor.open("/uploads")
    for words in ("Anna&#39;s phone", "Sums", "Today", "2 stored", f'href="/uploads/{first["upload_id"]}"'):
        assert words in told, words
    poll = feed_of(told)
    unchanged = visitor.client.get(poll)
    assert (unchanged.status_code, unchanged.text) == (204, "")
    second = phone.send(steps(*hours("2026-08-07", [1, 2, 3])))
    fresh = visitor.open(poll)
    assert "<html" not in fresh
    assert fresh.index(f'id="row-{second["upload_id"]}"') < fresh.index(f'id="row-{first["upload_id"]}"')
    assert "1 stored" in fresh
    assert "2 unchanged" in fresh
    assert visitor.client.get(feed_of(fresh)).status_code == 204


def test_uploads_are_chosen_by_key_state_and_automation_and_paged(app, services, visitor, phone):
    other = a_phone(app, services, "Anna", ["ingest"])
    told = phone.send(steps(*hours("2026-08-07", [1])), automation_name="Sums")
    theirs = other.send(steps(*hours("2026-08-07", [1])), automation_name="Vitals")
    key = phone.get(f"/api/v1/uploads/{told['upload_id']}")["key_id"]

    def rows(query: str) -> list[int]:
        return [int(found) for found in re.findall(r'id="row-(\d+)"', visitor.open(f"/uploads?{query}"))]

    assert rows(f"key={key}") == [told["upload_id"]]
    assert rows("state=unchanged") == [theirs["upload_id"]]
    assert rows("automation=Vitals") == [theirs["upload_id"]]
    assert rows("automation=-") == []
    assert rows(f"before={theirs['upload_id']}") == [told["upload_id"]]
    for odd in ("key=x", "key=9999999999999999999999", "state=odd", "before=-1", "before=²"):
        assert len(rows(odd)) == 2, odd
    for _ in range(30):
        phone.send(steps())
    assert "Older" in visitor.open("/uploads")


def test_a_receipt_shows_what_became_of_everything_and_how_to_mend_it(visitor, phone):
    told = phone.send(
        document(
            metric("step_count", "count", *hours("2026-08-07", [5, 6])),
            metric("heart_rate", "furlong", point("2026-08-07 10:00", 60)),
        ),
        automation_name="Sums",
        automation_aggregation="Minutes",
        session_id="abc-123",
    )
    page = visitor.open(f"/uploads/{told['upload_id']}")
    for words in ("2 stored", "1 quarantined", "Unknown unit", "Turn off Use Localized Units", "abc-123"):
        assert words in page, words
    assert "its bytes were durable" in page
    assert "furlong" in page
    assert "com.HealthExport://automation?url=" in page
    assert "counts 20 to 30 % too much" in visitor.open("/uploads")
    assert told["request_id"] in page


def test_the_body_is_shown_as_it_was_sent_packed_or_not_and_however_long(visitor, phone):
    body = json.dumps(steps(point("2026-08-07 10:00", 7.50, source="<b>Watch</b>"))).encode()
    packed = phone.post(gzip.compress(body), Content_Encoding="gzip").get_json()
    page = visitor.open(f"/uploads/{packed['upload_id']}/body")
    assert "All of it" in page
    assert "&#34;qty&#34;: 7.5" in page
    assert "&lt;b&gt;Watch&lt;/b&gt;" in page
    bomb = phone.post(
        gzip.compress(b'{"data":{"metrics":[]}}' + b" " * 5_000_000), Content_Encoding="gzip"
    ).get_json()
    page = visitor.open(f"/uploads/{bomb['upload_id']}/body")
    assert "Its first 65.5 kB" in page
    assert len(page) < 200_000


@pytest.mark.parametrize(
    "body", [b"\xff\xfe\x00{", b"[" * 5_000, b"no json at all", gzip.compress(b"{}", mtime=0)[:-9]]
)
def test_a_body_that_could_not_be_opened_is_told_of_and_can_be_read_by_people(visitor, phone, body):
    phone.post(body)
    upload_id = phone.get("/api/v1/uploads")["items"][0]["upload_id"]
    page = visitor.open(f"/uploads/{upload_id}")
    assert "Not readable" in page
    assert "Nothing could be read" in page
    visitor.open(f"/uploads/{upload_id}/body")
    assert "still cannot be opened" in visitor.send(f"/uploads/{upload_id}/replay/try").text


def test_reading_again_says_first_what_would_change_and_then_changes_that(visitor, phone, services):
    told = phone.send(steps(*hours("2026-08-07", [5, 6])))
    address = f"/uploads/{told['upload_id']}/replay"
    assert f'action="{address}/try"' in visitor.open(address)
    assert "Nothing would change" in visitor.send(f"{address}/try").text
    with services.replaying._database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM sample")
    page = visitor.send(f"{address}/try").text
    assert "Steps" in page or "Step Count" in page
    assert '<td class="number">2</td>' in page
    assert phone.samples("steps") == []
    answer = visitor.send(address)
    assert answer.status_code == 302
    assert "It was read again" in visitor.open(answer.headers["Location"])
    assert len(phone.samples("steps")) == 2
    for form in (address, f"{address}/try"):
        assert visitor.client.post(form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_uploads_of_others_are_not_there(app, services, visitor):
    ben = a_phone(app, services, "Ben", ["ingest", "read"])
    theirs = ben.send(steps(*hours("2026-08-07", [1])))["upload_id"]
    for path in (f"/uploads/{theirs}", f"/uploads/{theirs}/body", f"/uploads/{theirs}/replay"):
        assert visitor.client.get(path).status_code == 404, path
    for path in (f"/uploads/{theirs}/replay", f"/uploads/{theirs}/replay/try"):
        assert visitor.send(path).status_code == 404, path
    assert str(theirs) not in re.findall(r'id="row-(\d+)"', visitor.open("/uploads"))


@pytest.mark.parametrize("text", HOSTILE)
def test_no_word_of_a_phone_becomes_part_of_a_page_of_uploads(visitor, phone, text):
    header = text.encode("utf-8").decode("latin-1")
    told = phone.send(
        document(
            metric(text, "furlong", point("2026-08-07 10:00", "nonsense", source=text)),
            **{text: [{"a": text}]},
        ),
        automation_name=header,
        automation_period=header,
        automation_aggregation=header,
        session_id=header,
    )
    for path in ("/uploads", *(f"/uploads/{told['upload_id']}{more}" for more in ("", "/body", "/replay"))):
        page = visitor.open(path)
        assert "<script>alert" not in page, path
        assert "<img" not in page, path


def test_a_phone_that_fell_silent_is_named_where_uploads_are(visitor, phone, services, clock):
    began = clock.now()
    for day in range(1, 9):
        phone.send(steps(*hours(f"2026-08-{day:02}", [day])), automation_name="Sums", automation_id="one")
        clock.advance(hours=12)
    assert "gone quiet" not in visitor.open("/uploads")
    clock.advance(hours=48)
    with services.silence._database.transaction() as connection:
        stay_awake(connection, "here", began, timedelta(minutes=3))
        stay_awake(connection, "here", clock.now(), timedelta(days=9))
    services.silence.check()
    page = visitor.open("/uploads")
    assert "gone quiet" in page
    assert "usually something comes about every 12 h" in page
