"""Keys on the dashboard: made, shown once, replaced, closed; and what was refused."""

from __future__ import annotations

import re

from appliance.domain.key import KeyState, Scope
from appliance.domain.session import LinkPurpose
from tests.fixtures.documents import point, steps
from tests.fixtures.visits import client_of

BODY = steps(point("2026-08-07 10:00:00 +0200", 11))
KEY = re.compile(r"hb_[0-9a-f]{16}_[A-Za-z0-9_\-]{43}")


def make(visitor, **fields) -> str:
    answer = visitor.send("/keys", **({"name": "Grafana", "scope": ["read"], "expires_days": 30} | fields))
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return KEY.search(answer.text)[0]


def named(services, name: str):
    return [key for key, _ in services.keys.listed() if key.name == name]


def test_a_new_key_is_shown_once_and_opens_what_was_chosen(app, services, visitor):
    secret = make(visitor)
    answer = app.test_client().get("/api/v1/metrics", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    (key,) = named(services, "Grafana")
    assert key.scopes == {Scope.READ}
    assert (key.expires_at - key.created_at).days == 30
    assert secret not in visitor.open("/keys") + visitor.open(f"/keys/{key.key_id}")


def test_a_key_that_cannot_be_made_says_why_and_keeps_the_form(visitor):
    for fields, told in (
        ({"name": " "}, "needs a name"),
        ({"scope": []}, "at least one thing"),
        ({"scope": "x"}, "at least one"),
    ):
        answer = visitor.send("/keys", **({"name": "Grafana", "scope": "read"} | fields))
        assert answer.status_code == 400
        assert told in answer.text


def test_a_name_is_shown_as_text_whatever_it_is(visitor):
    make(visitor, name="<script>alert(1)</script>")
    assert "<script>alert" not in visitor.open("/keys")


def test_a_rotated_key_goes_on_as_long_as_chosen(app, services, visitor, clock):
    make(visitor)
    (old,) = named(services, "Grafana")
    answer = visitor.send(f"/keys/{old.key_id}/rotate", overlap_hours=72)
    assert KEY.search(answer.text)
    old, new = named(services, "Grafana")
    assert old.replaced_by == new.key_id
    clock.advance(hours=71)
    assert old.is_open(clock.now())
    clock.advance(hours=2)
    assert old.state(clock.now()) is KeyState.REPLACED
    assert "takes its place" in visitor.open(f"/keys/{old.key_id}")


def test_a_key_is_disabled_enabled_and_revoked_and_its_page_tells_of_it(services, visitor, clock):
    make(visitor)
    (key,) = named(services, "Grafana")
    for change, state in (("disable", "Disabled"), ("enable", "Open"), ("revoke", "Revoked")):
        assert visitor.send(f"/keys/{key.key_id}/{change}").status_code == 302
        page = visitor.open(f"/keys/{key.key_id}?done={change}d")
        assert f">{state}</span>" in page
        assert 'role="status"' in page
    history = visitor.open(f"/keys/{key.key_id}")
    assert [
        history.index(f"<strong>{word}</strong>") for word in ("Revoked", "Enabled again", "Disabled", "Made")
    ] == sorted(
        history.index(f"<strong>{word}</strong>") for word in ("Revoked", "Enabled again", "Disabled", "Made")
    )
    assert visitor.send(f"/keys/{key.key_id}/enable").status_code == 409


def test_the_list_counts_uploads_and_tells_refused_tries_with_their_mend(app, visitor, phone):
    phone.send(BODY)
    phone.send(BODY)
    app.test_client().post(
        "/api/v1/ingest",
        json=BODY,
        headers={"X-API-Key": f"“{phone.key}”".encode().decode("latin-1"), "automation-name": "<i>Vitals"},
    )
    page = visitor.open("/keys")
    assert "<dt>Uploads</dt><dd>2</dd>" in page
    assert "has quotation marks" in page
    assert "&lt;i&gt;Vitals" in page
    assert phone.key not in page


def test_nobody_but_an_owner_sees_or_changes_the_keys_of_others(app, services, visitor):
    ben = services.people.create("Ben")
    link = services.sessions.link(LinkPurpose.LOGIN, ben.person_id)
    other = client_of(app, services.sessions.redeem(link, "", ""))
    (annas, _), *_ = services.keys.listed()
    assert annas.name not in other.get("/keys").text
    assert other.get(f"/keys/{annas.key_id}").status_code == 404
    own = {"Sec-Fetch-Site": "same-origin"}
    for change in ("revoke", "disable", "rotate", "pair"):
        assert other.post(f"/keys/{annas.key_id}/{change}", headers=own).status_code == 404
    made = services.keys.create("Ben's phone", [Scope.INGEST], person_id=ben.person_id)
    assert "Ben&#39;s phone" in visitor.open("/keys")
    # An owner is told no key that reads what is somebody else's.
    form = {"name": "x", "scope": "read", "person_id": ben.person_id}
    assert visitor.send("/keys", **form).status_code == 403
    assert visitor.send(f"/keys/{made.key.key_id}/revoke").status_code == 302
