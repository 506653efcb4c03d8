"""Settings on the dashboard: a person's own, the sources, the people, and the appliance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance.domain.session import COOKIE, LinkPurpose
from tests.fixtures.documents import point, steps
from tests.fixtures.house import settings_of
from tests.fixtures.visits import PASSWORD, client_of

OWN = {"Sec-Fetch-Site": "same-origin"}
GOALS = {
    "move_goal_kcal": "620",
    "exercise_goal_min": "45",
    "stand_goal_h": "10",
    "step_goal": "9500",
    "sleep_goal_h": "7,5",
    "max_heart_rate": "178",
}


def log_in(app, services, name: str):
    person = services.people.named(name)
    link = services.sessions.link(LinkPurpose.LOGIN, person.person_id)
    return client_of(app, services.sessions.redeem(link, "", ""))


def test_name_zone_units_and_goals_are_kept(services, visitor):
    me = services.people.named("Anna").person_id
    assert visitor.send("/settings/person", name="Anna Berg", time_zone="Asia/Tokyo").status_code == 302
    assert visitor.send("/settings/display", units="imperial", energy="kJ").status_code == 302
    assert visitor.send("/settings/goals", **GOALS).status_code == 302
    person, held = services.people.find(me), services.sessions.preferences(me)
    assert (person.name, person.time_zone) == ("Anna Berg", "Asia/Tokyo")
    assert (held.units, held.energy, held.move_goal_kcal, held.step_goal) == ("imperial", "kJ", 620, 9500)
    assert (held.sleep_goal_h, held.max_heart_rate) == (7.5, 178)
    page = visitor.open("/settings?done=goals")
    assert 'value="Asia/Tokyo"' in page
    assert 'value="7.5"' in page


@pytest.mark.parametrize(
    ("field", "value"),
    [("step_goal", "0"), ("step_goal", "-3"), ("max_heart_rate", "nan"), ("sleep_goal_h", "")],
)
def test_a_goal_that_is_none_is_refused_and_nothing_is_changed(services, visitor, field, value):
    answer = visitor.send("/settings/goals", **(GOALS | {field: value}))
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert services.sessions.preferences(services.people.named("Anna").person_id).move_goal_kcal == 500


def test_a_person_that_is_none_is_refused_in_its_place(visitor):
    for fields in ({"name": "", "time_zone": "Europe/Berlin"}, {"name": "Anna", "time_zone": "Mars"}):
        answer = visitor.send("/settings/person", **fields)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text


def test_a_password_changes_only_with_the_old_one_and_a_new_one_typed_twice(services, visitor):
    for old, new, again in (
        ("wrong", "another horse", "another horse"),
        (PASSWORD, "another horse", "other"),
    ):
        answer = visitor.send("/settings/password", old=old, new=new, again=again)
        assert answer.status_code in (400, 403)
    changed = visitor.send("/settings/password", old=PASSWORD, new="another horse", again="another horse")
    assert changed.status_code == 302
    assert services.sessions.log_in("", "another horse", "", "").person_id


def test_other_browsers_are_named_and_logged_out(app, services, visitor):
    iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1"
    others = [client_of(app, services.sessions.log_in("", PASSWORD, "192.168.1.7", iphone)) for _ in range(3)]
    page = visitor.open("/settings")
    assert "Safari on iPhone" in page
    ends = re.findall(r"/settings/sessions/(\d+)/end", page)
    assert len(ends) == 3
    assert visitor.send(f"/settings/sessions/{ends[0]}/end").status_code == 302
    assert sorted(other.get("/").status_code for other in others) == [200, 200, 302]
    visitor.send("/settings/sessions/end")
    assert [other.get("/").status_code for other in others] == [302] * 3
    assert visitor.client.get("/").status_code == 200


def test_an_order_of_sources_is_tried_without_changing_anything_and_then_rewrites_history(visitor, phone):
    day = "2026-08-07 10:00:00 +0200"
    for source, value in (("Anna's Apple Watch", 100), ("Anna's iPhone", 70)):
        phone.send(steps(point(day, value, source)), automation_aggregation="Hours")
    assert phone.days("step_count") == {"2026-08-07": 100}
    draft = {"category": "activity", "order": ["Anna's Apple Watch", "Anna's iPhone"], "move": "0:down"}
    page = visitor.client.get("/settings/sources", query_string=draft).text
    assert "Not in use yet" in page
    assert phone.days("step_count") == {"2026-08-07": 100}
    order = ["Anna's iPhone", "Anna's Apple Watch"]
    used = visitor.send("/settings/sources", category="activity", order=order)
    assert "Steps on 1 day" in used.text
    assert phone.days("step_count") == {"2026-08-07": 70}
    visitor.send("/settings/sources", category="activity")
    assert phone.days("step_count") == {"2026-08-07": 100}
    assert visitor.send("/settings/sources", category="nonsense").status_code == 400


def test_owners_add_rename_and_let_in_people_and_nobody_else_may(app, services, visitor):
    assert visitor.send("/settings/people", name="Ben", time_zone="Europe/Paris").status_code == 302
    ben = services.people.named("Ben")
    where = f"/settings/people/{ben.person_id}"
    link = re.search(r"/login/[A-Za-z0-9_\-]+", visitor.send(f"{where}/link").text)[0]
    other = app.test_client()
    assert other.get(link).status_code == 302
    for path in ("/settings/people", "/settings/appliance"):
        assert other.get(path).status_code == 403
    for path in (
        where,
        f"{where}/remove",
        f"{where}/link",
        "/settings/people",
        "/settings/appliance/backups",
    ):
        assert other.post(path, data={"is_owner": "yes"}, headers=OWN).status_code == 403
    set_ = {"old": "", "new": "ben's own horse", "again": "ben's own horse"}
    assert other.post("/settings/password", data=set_, headers=OWN).status_code == 302
    # From now on Ben's data are his own, and no link of an owner opens them.
    assert visitor.send(f"{where}/link").status_code == 409
    assert visitor.send(where, name="Benedikt").status_code == 302
    assert services.people.find(ben.person_id).name == "Benedikt"
    assert (
        visitor.send(f"/settings/people/{services.people.named('Anna').person_id}", is_owner="no").status_code
        == 409
    )


def test_removing_somebody_wants_the_name_and_writes_everything_down_first(services, visitor, settings):
    ben = services.people.create("Ben")
    visitor.send(f"/view/{ben.person_id}")
    where = f"/settings/people/{ben.person_id}/remove"
    assert visitor.send(where, confirm="Bem", export="yes").status_code == 400
    assert services.people.find(ben.person_id)
    told = visitor.send(where, confirm=" ben ", export="yes")
    assert told.status_code == 200
    archive = Path(re.search(r'id="archive">([^<]+)<', told.text)[1])
    assert archive.is_file()
    assert archive.is_relative_to(settings.data_dir)
    assert [person.name for person in services.people.everyone()] == ["Anna"]
    assert visitor.client.get_cookie(COOKIE)
    assert visitor.client.get("/settings").status_code == 200


@settings_of(max_upload_mb=200, database_url="postgresql://me:hunter2@db/x")
def test_settings_of_the_program_are_shown_as_lines_to_copy_and_never_a_password(visitor, services):
    page = visitor.open("/settings/appliance")
    assert "max_upload_mb = 200" in page
    assert re.search(r'<th scope="row">waitress</th><td>[\d.]+</td>', page)
    assert "There is no backup yet" in page
    assert "hunter2" not in page
