"""Connecting a phone from the dashboard: the codes, the phone's own page, and what is seen of how it goes."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from appliance.catalog.automations import AUTOMATIONS
from appliance.domain.automation import automation_link
from appliance.domain.key import Scope
from appliance.domain.session import LinkPurpose
from tests.fixtures.documents import point, steps
from tests.fixtures.visits import client_of, set_up
from web.pages.pairing import qr_code

BODY = steps(point("2026-08-07 10:00:00 +0200", 11))
FROM_PHONE = {"REMOTE_ADDR": "192.168.1.77"}


def begin(visitor, **fields) -> str:
    answer = visitor.send("/keys/pair", **({"name": "Anna’s iPhone"} | fields))
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def log_in(app, services, person):
    link = services.sessions.link(LinkPurpose.LOGIN, person.person_id)
    return client_of(app, services.sessions.redeem(link, "", ""))


def phone_path(page: str) -> str:
    return re.search(r"/pair/[A-Za-z0-9_\-]{43}", page)[0]


def links(page: str) -> dict[str, dict[str, str]]:
    """Return the automations a page offers, by name, each with its parameters as the phone reads them."""
    found = {}
    for link in re.findall(r'href="(com\.HealthExport://automation\?[^"]+)"', page):
        query = urlsplit(html.unescape(link)).query
        told = dict(pair.split("=", 1) for pair in query.split("&"))
        told = {name: unquote(value) for name, value in told.items()}
        found[told["name"]] = told
    return found


def test_the_phone_gets_a_key_that_only_sends_and_a_link_for_every_automation(app, services, visitor):
    page = visitor.open(begin(visitor))
    made = next(key for key, _ in services.keys.listed() if key.name == "Anna’s iPhone")
    assert made.scopes == {Scope.INGEST}
    answer = app.test_client().get(phone_path(page), environ_overrides=FROM_PHONE)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    offered = links(answer.text)
    assert set(offered) == {f"Hearthbeat {kind.name}" for kind in AUTOMATIONS.values()}
    for told in offered.values():
        assert told["url"] == "http://localhost/api/v1/ingest"
        assert told["enabled"] == told["batchrequests"] == "true"
        assert (told["format"], told["exportversion"], told["period"]) == ("json", "v2", "none")
        header, value = told["headers"].split(",")
        assert header == "Authorization"
        assert re.fullmatch(r"Bearer hb_[0-9a-f]{16}_[A-Za-z0-9_\-]{43}", value)


def test_the_key_in_the_link_sends_and_the_page_sees_it_come(app, services, visitor, clock):
    where = begin(visitor)
    path = phone_path(visitor.open(where))
    waiting = visitor.open(f"{where}/progress")
    assert "Waiting for your phone" in waiting
    again = html.unescape(re.search(r'hx-get="([^"]+)"', waiting)[1])
    assert visitor.client.get(again).status_code == 204
    phone = app.test_client()
    told = links(phone.get(path, environ_overrides=FROM_PHONE).text)["Hearthbeat Daily totals"]
    going = visitor.open(f"{where}/progress")
    assert "Your phone is here" in going
    assert "192.168.1.77" in going
    name, value = told["headers"].split(",")
    sent = phone.post(
        "/api/v1/ingest",
        json=BODY,
        headers={name: value, "automation-name": "Hearthbeat <b>totals"},
        environ_overrides=FROM_PHONE,
    )
    assert sent.status_code == 200
    going = visitor.open(f"{where}/progress")
    assert "Connected: 1 item received" in going
    assert "Hearthbeat &lt;b&gt;totals" in going


def test_a_wrong_try_is_told_with_its_mend_and_nothing_for_a_minute_becomes_a_checklist(
    app, services, visitor, clock
):
    where = begin(visitor)
    path = phone_path(visitor.open(where))
    assert "Nothing has come yet" not in visitor.open(f"{where}/progress")
    clock.advance(seconds=61)
    late = visitor.open(f"{where}/progress")
    assert late.index("in another network") < late.index("may not use the local network")
    app.test_client().get(path, environ_overrides=FROM_PHONE)
    opened = visitor.open(f"{where}/progress")
    assert "Likely: Safari reached us, the app has not" in opened
    assert opened.index("may not use the local network") < opened.index("in another network")
    app.test_client().post(
        "/api/v1/ingest", json=BODY, headers={"Authorization": "Basic x"}, environ_overrides=FROM_PHONE
    )
    refused = visitor.open(f"{where}/progress")
    assert "A request came and was refused" in refused
    assert "has another word than “Bearer”" in refused


def test_only_who_made_a_code_sees_it_and_only_for_half_an_hour(app, services, visitor, clock):
    where = begin(visitor)
    path = phone_path(visitor.open(where))
    ben = services.people.create("Ben")
    other = log_in(app, services, ben)
    assert other.get(where).status_code == 404
    assert app.test_client().get(f"{path[:-1]}{'A' if path[-1] != 'A' else 'B'}").status_code == 403
    clock.advance(minutes=31)
    assert app.test_client().get(path).status_code == 403
    assert visitor.client.get(where).status_code == 404
    assert "This code is closed" in visitor.open(f"{where}/progress")


def test_a_closed_or_revoked_key_closes_its_code(app, services, visitor):
    for close in ("pair/{}/close", "{}/revoke"):
        where = begin(visitor)
        path = phone_path(visitor.open(where))
        assert visitor.send(f"/keys/{close.format(where.rpartition('/')[2])}").status_code == 302
        assert app.test_client().get(path).status_code == 403


def test_a_phone_set_up_again_gets_a_new_key_and_the_old_one_goes_on_for_a_day(app, services, visitor, clock):
    first = int(begin(visitor).rpartition("/")[2])
    second = visitor.send(f"/keys/{first}/pair").headers["Location"]
    assert int(second.rpartition("/")[2]) != first
    held = {key.key_id: key for key, _ in services.keys.listed()}
    assert held[first].is_open(clock.now())
    clock.advance(hours=25)
    assert not held[first].is_open(clock.now())


def test_the_codes_lead_to_the_address_chosen_and_to_no_text_that_is_none(visitor):
    where = begin(visitor)
    assert "http://192.168.9.9:8710/pair/" in visitor.open(f"{where}?address=192.168.9.9:8710")
    scan = visitor.open(f"{where}?address=192.168.9.9:8710&scan=sleep")
    assert "url=http%3A%2F%2F192.168.9.9%3A8710%2Fapi%2Fv1%2Fingest" in scan
    for text in ('"><script>', "evil.example/x?", "a b"):
        page = visitor.client.get(where, query_string={"address": text}).text
        assert "<script>" not in page
        assert "//evil.example" not in page


@pytest.mark.parametrize("kind", AUTOMATIONS.values(), ids=str)
def test_every_automation_fits_a_code_that_cameras_read(kind):
    url = "http://192.168.178.123:8710/api/v1/ingest"
    link = automation_link(url, f"hb_{'0' * 16}_{'_' * 43}", f"Hearthbeat {kind.name}", kind.parameters)
    assert len(link) <= 1000
    assert "+" not in link
    assert " " not in link
    assert parse_qs(urlsplit(link).query)["datatype"] == [kind.parameters["datatype"]]
    assert "style=" not in qr_code(link, "x")


def test_a_code_names_what_it_holds_as_text(visitor):
    assert str(qr_code("x", '"><b>')).startswith('<span role="img" aria-label="&#34;&gt;&lt;b&gt;">')


def test_set_up_goes_on_to_connecting_a_phone(app, services):
    link = services.sessions.link(LinkPurpose.SETUP)
    form = {"name": "Anna", "time_zone": "Europe/Berlin", "password": "correct horse"}
    answer = app.test_client().post(f"/setup/{link}", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.headers["Location"] == "/keys/pair"


def test_an_owner_connects_the_phone_of_somebody_else_and_nobody_else_does(app, services):
    owner = client_of(app, set_up(services))
    ben = services.people.create("Ben")
    own = {"Sec-Fetch-Site": "same-origin"}
    form = {"name": "Ben’s iPhone", "person_id": ben.person_id}
    assert owner.post("/keys/pair", data=form, headers=own).status_code == 302
    assert [person for key, person in services.keys.listed() if key.name == "Ben’s iPhone"] == ["Ben"]
    other = log_in(app, services, ben)
    anna = services.people.named("Anna").person_id
    refused = other.post("/keys/pair", data={"name": "x", "person_id": anna}, headers=own)
    assert refused.status_code == 404


def test_the_code_can_lead_to_the_name_this_computer_is_found_by(services, visitor):
    services.announcing._label = "hearthbeat-2"
    path = begin(visitor)
    assert "hearthbeat-2.local" in visitor.open(path)
    page = visitor.open(f"{path}?address=hearthbeat-2.local")
    assert re.search(r"http://hearthbeat-2\.local/pair/", page)
