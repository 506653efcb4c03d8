"""The door of the dashboard: set-up, login, and what keeps others out."""

from __future__ import annotations

import pytest

from appliance.domain.session import COOKIE, LinkPurpose
from tests.fixtures.visits import PASSWORD, client_of, set_up

OWN = {"Sec-Fetch-Site": "same-origin"}
FORM = {
    "name": "Anna",
    "time_zone": "Europe/Berlin",
    "password": PASSWORD,
    "units": "imperial",
    "energy": "kJ",
}


def test_nobody_sees_a_page_without_being_logged_in(app, services):
    client = app.test_client()
    answer = client.get("/sleep?range=w")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/login?next=/sleep?range%3Dw"
    assert "waits to be set up" in client.get("/login").text
    set_up(services)
    assert "Password" in client.get("/login").text


def test_the_setup_link_makes_the_owner_and_works_once(app, services):
    link = services.sessions.link(LinkPurpose.SETUP)
    client = app.test_client()
    assert "Welcome home" in client.get(f"/setup/{link}").text
    answer = client.post(f"/setup/{link}", data=FORM, headers=OWN)
    assert answer.status_code == 302
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert client.get("/").status_code == 200
    person = services.people.everyone()[0]
    assert (person.name, person.is_owner) == ("Anna", True)
    assert services.sessions.preferences(person.person_id).units == "imperial"
    other = app.test_client()
    assert other.get(f"/setup/{link}").status_code == 403
    assert other.post(f"/setup/{link}", data=FORM, headers=OWN).status_code == 403


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", " "), ("name", "x" * 101), ("time_zone", "Mars/Base"), ("password", "short")],
)
def test_a_setup_that_cannot_be_taken_says_why_and_keeps_the_link(app, services, field, value):
    link = services.sessions.link(LinkPurpose.SETUP)
    answer = app.test_client().post(f"/setup/{link}", data=FORM | {field: value}, headers=OWN)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert services.sessions.opens(link, LinkPurpose.SETUP)


def test_setting_up_takes_over_the_person_whose_phone_already_sends(app, services, phone):
    link = services.sessions.link(LinkPurpose.SETUP)
    app.test_client().post(f"/setup/{link}", data=FORM | {"name": "Anna Berg"}, headers=OWN)
    assert [person.name for person in services.people.everyone()] == ["Anna Berg"]


def test_password_and_one_time_link_log_in_and_a_wrong_password_does_not(app, services):
    set_up(services)
    client = app.test_client()
    refused = client.post("/login", data={"password": "wrong horse"}, headers=OWN)
    assert refused.status_code == 403
    assert "do not belong together" in refused.text
    assert (
        client.post("/login", data={"password": PASSWORD, "next": "/sleep"}, headers=OWN).headers["Location"]
        == "/sleep"
    )
    assert client.get("/sleep").status_code == 200
    link = services.sessions.link(LinkPurpose.LOGIN)
    other = app.test_client()
    assert other.get(f"/login/{link}").status_code == 302
    assert other.get("/").status_code == 200
    assert app.test_client().get(f"/login/{link}").status_code == 403


def test_a_login_link_is_of_no_use_after_a_quarter_of_an_hour(app, services, clock):
    set_up(services)
    link = services.sessions.link(LinkPurpose.LOGIN)
    clock.advance(minutes=16)
    assert app.test_client().get(f"/login/{link}").status_code == 403


def test_guessing_passwords_is_soon_told_to_wait(app, services, settings):
    set_up(services)
    client = app.test_client()
    told = [
        client.post("/login", data={"password": "guess"}, headers=OWN).status_code
        for _ in range(settings.limit_failed_logins + 1)
    ]
    assert told == [403] * settings.limit_failed_logins + [429]
    assert client.post("/login", data={"password": PASSWORD}, headers=OWN).status_code == 429


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example/", "https://evil.example/", "/\\evil.example", "\\\\evil.example"]
)
def test_login_leads_to_our_own_pages_alone(app, services, elsewhere):
    set_up(services)
    answer = app.test_client().post("/login", data={"password": PASSWORD, "next": elsewhere}, headers=OWN)
    assert answer.headers["Location"] == "/"


def test_another_sites_page_can_change_nothing(app, services, visitor):
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {},
    ):
        assert visitor.client.post("/logout", headers=headers).status_code == 403, headers
        assert visitor.client.post("/api/v1/keys", json={"name": "x"}, headers=headers).status_code == 403, (
            headers
        )
    assert visitor.client.get("/").status_code == 200
    assert (
        visitor.client.post(
            "/theme", data={"theme": "dark"}, headers={"Origin": "http://localhost"}
        ).status_code
        == 302
    )


def test_no_page_can_be_put_into_a_frame_or_run_a_foreign_script(visitor):
    policy = visitor.client.get("/").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_logging_out_ends_the_session_everywhere(visitor, services):
    again = visitor.client.get_cookie(COOKIE).value
    assert visitor.send("/logout").status_code == 302
    assert services.sessions.visitor(again) is None


def test_a_new_password_ends_the_other_sessions(app, services, visitor):
    other = client_of(app, services.sessions.log_in("", PASSWORD, "127.0.0.1", ""))
    me = services.sessions.visitor(visitor.client.get_cookie(COOKIE).value)
    services.sessions.change_password(me, PASSWORD, "another horse")
    assert other.get("/").status_code == 302
    assert visitor.client.get("/").status_code == 200


def test_a_logged_in_browser_reads_its_own_data_from_the_api_and_nobody_elses(app, services, visitor, phone):
    assert visitor.client.get("/api/v1/metrics").status_code == 200
    ben = services.people.create("Ben")
    upload = services.keys.create("Ben's phone", ["ingest"], person_name="Ben")
    body = {"data": {"metrics": []}}
    told = (
        app.test_client()
        .post("/api/v1/ingest", json=body, headers={"X-API-Key": upload.secret_text})
        .get_json()
    )
    assert visitor.client.get(f"/api/v1/uploads/{told['upload_id']}").status_code == 404
    # An owner may look after somebody without a password, and then sees theirs.
    assert visitor.send(f"/view/{ben.person_id}").status_code == 302
    assert visitor.client.get(f"/api/v1/uploads/{told['upload_id']}").status_code == 200
    assert visitor.send("/view/999").status_code == 404
