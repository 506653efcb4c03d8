"""Uploads are refused while the reserve would be touched, and the ballast is laid down only where there is plenty."""

from __future__ import annotations

import gzip
import json

import pytest
from prometheus_client import CollectorRegistry

from appliance.domain.job import Outcome
from appliance.foundation import ballast as ballast_module
from appliance.foundation.ballast import MIB, START_ROOM, Ballast
from appliance.foundation.errors import StorageFull
from appliance.foundation.settings import Settings
from appliance.foundation.telemetry import Telemetry
from appliance.services import space as space_module
from appliance.services.space import AMPLIFICATION, Space
from tests.fixtures.documents import point, steps


@pytest.fixture
def free(monkeypatch):
    """Say how much is free, in MiB."""
    told = {"mib": 10_000}
    for module in (space_module, ballast_module):
        monkeypatch.setattr(module, "free_bytes", lambda _folder: int(told["mib"] * MIB))
    return told


def a_space(tmp_path, **settings):
    chosen = {"data_dir": tmp_path, "disk_reserve_mb": 100, "ballast_mb": 8} | settings
    return Space(Settings(**chosen), Telemetry(CollectorRegistry()))


def test_a_body_is_refused_when_what_it_becomes_would_touch_the_reserve(tmp_path, free):
    space = a_space(tmp_path)
    free["mib"] = 100 + AMPLIFICATION * 10
    space.refuse_unless_room(10 * MIB)
    with pytest.raises(StorageFull, match="Batch Requests"):
        space.refuse_unless_room(10 * MIB + 1)
    with pytest.raises(StorageFull):  # it is ten times as much once it is opened
        space.refuse_unless_room(MIB, packed=True)
    free["mib"] = 99
    with pytest.raises(StorageFull, match=r"99 MiB are free.*100 MiB are kept"):
        space.refuse_unless_room(0)
    assert space.state.startswith("away: 99 MiB")


def test_a_database_elsewhere_is_not_judged_by_the_disk_here(tmp_path, free):
    space = a_space(tmp_path, database_url="postgresql://elsewhere/db")
    free["mib"] = 1
    space.refuse_unless_room(MIB)
    assert space.state.startswith("degraded: ")
    assert space.check().outcome is Outcome.FOUND
    assert not (tmp_path / "ballast").exists()


def test_the_ballast_is_laid_down_with_plenty_and_again_when_room_returns(tmp_path, free):
    space = a_space(tmp_path)
    free["mib"] = 115
    assert space.check().outcome is Outcome.OK
    assert not (tmp_path / "ballast").exists()
    free["mib"] = 116
    assert space.check().result["ballast_held"] is True
    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 8 * MIB
    free["mib"] = START_ROOM / MIB - 1
    assert not Ballast(tmp_path, 8).make_room()
    assert not (tmp_path / "ballast").exists()
    assert space.check().outcome is Outcome.FOUND
    assert not (tmp_path / "ballast").exists()
    free["mib"] = 500
    assert space.check().result["ballast_held"] is True
    assert a_space(tmp_path, ballast_mb=0).check().result["ballast_held"] is False
    assert not (tmp_path / "ballast").exists()


def test_a_ballast_that_cannot_be_taken_leaves_nothing_half_made(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ballast_module, "_take", full)
    assert not Ballast(tmp_path, 8).lay_down()
    assert list(tmp_path.iterdir()) == []


def test_plenty_of_room_keeps_the_ballast(tmp_path, free):
    ballast = Ballast(tmp_path, 1)
    assert ballast.lay_down()
    assert ballast.make_room()
    assert ballast.held
    assert free["mib"] == 10_000


def test_refused_uploads_are_507_and_what_waits_goes_on_later(phone, services, free):
    phone.send(steps(point("2026-08-07 10:00", 10)))
    free["mib"] = 500
    body = json.dumps(steps(point("2026-08-07 11:00", 10))).encode()
    for content, headers in ((body, {}), (gzip.compress(body), {"Content_Encoding": "gzip"})):
        answer = phone.post(content, **headers)
        assert answer.status_code == 507, answer.text
        assert int(answer.headers["Retry-After"]) > 0
    assert phone.days("step_count") == {"2026-08-07": 10}
    with pytest.raises(StorageFull):
        services.uploads.work_on_due()
    free["mib"] = 10_000
    phone.send(steps(point("2026-08-07 11:00", 10)))
    assert phone.days("step_count") == {"2026-08-07": 20}
