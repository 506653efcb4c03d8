from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from appliance.doctor import naming
from appliance.doctor.finding import Level, Patient
from appliance.foundation.network import Adapter
from appliance.foundation.presence import Presence
from appliance.foundation.settings import Settings
from appliance.services.announcing import KEPT


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Say what is found when the network answers like this."""
    (tmp_path / KEPT).write_text("hearthbeat-2\n")
    own = Adapter("lan0", "192.168.1.20", "network", has_default_route=True)
    monkeypatch.setattr(naming, "adapters", lambda: [own])

    def tell(*answers, **settings):
        serving = Presence(os.getpid(), "http://127.0.0.1:8711/")
        patient = Patient(
            Settings(data_dir=tmp_path, **settings), None, serving, {}, datetime.now(UTC), None, None
        )
        asked = []

        def look_up(label):
            asked.append(label)
            return set(answers)

        found = [(each.level, each.told, each.mend) for each in naming.check_name(patient, look_up)]
        return found, asked

    return tell


def test_the_name_is_asked_for_as_a_phone_does(told):
    found, asked = told("192.168.1.20")
    assert found == [(Level.OK, "On this network it is found as http://hearthbeat-2.local:8711/.", "")]
    assert asked == ["hearthbeat-2"]


@pytest.mark.parametrize(
    ("platform", "command"),
    [("linux", "ufw"), ("win32", "New-NetFirewallRule"), ("darwin", "System Settings")],
)
def test_a_name_nobody_answers_for_has_its_mend_on_each_system(told, monkeypatch, platform, command):
    monkeypatch.setattr(naming.sys, "platform", platform)
    [[(level, words, mend)], _] = told()
    assert level is Level.WARNING
    assert "5353" in words
    assert command in mend


def test_a_name_that_leads_elsewhere_is_told(told):
    [[(level, words, _)], _] = told("192.168.1.20", "192.168.1.99")
    assert level is Level.WARNING
    assert "192.168.1.99" in words
    assert "192.168.1.20" not in words


def test_nothing_is_asked_where_nothing_is_announced(told, tmp_path):
    found, asked = told(announce=False)
    assert ([level for level, *_ in found], asked) == ([Level.OK], [])
    assert told(host="127.0.0.1") == ([], [])
    (tmp_path / KEPT).unlink()
    found, asked = told()
    assert ([level for level, *_ in found], asked) == ([Level.WARNING], [])
