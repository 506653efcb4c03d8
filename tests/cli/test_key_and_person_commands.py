"""What the commands say and do; that they work beside a running server is tested with the program itself."""

from __future__ import annotations

import json
from contextlib import contextmanager
from zipfile import ZipFile

import pytest
from click.testing import CliRunner

from appliance import cli
from appliance.cli import common, keys, people
from appliance.domain.key import Scope
from appliance.domain.presented import read_presented
from appliance.foundation.errors import AccessError, Conflict, NotFound


@pytest.fixture
def run(services, monkeypatch):
    """Run a command on the test's own services."""

    @contextmanager
    def at_hand(_given, _role):
        yield services

    for module in (keys, people):
        monkeypatch.setattr(module, "services_for", at_hand)
    monkeypatch.setattr(common.out, "width", 200)

    def run_it(*words, answer="", fails=None):
        result = CliRunner().invoke(cli.cli, words, input=answer, standalone_mode=False)
        if fails is None:
            assert result.exception is None, result.output
        else:
            assert isinstance(result.exception, fails), result.output
        return result

    return run_it


def made(run, *words):
    return run("key", "create", *words).stdout.splitlines()[-1]


def test_a_keys_whole_life_on_the_terminal(run, clock):
    assert "no keys yet" in run("key", "list").stdout
    first = made(run, "My [bold]iPhone", "--scope", "ingest,read", "--expires", "9")
    assert first.startswith("hb_")
    run("key", "disable", "1")
    assert json.loads(run("key", "list", "--json").stdout)[0]["state"] == "disabled"
    run("key", "enable", "1")
    rotated = run("key", "rotate", "1", "--overlap", "3")
    assert rotated.stdout.splitlines()[-1].startswith("hb_")
    assert "closes within 3 hours" in rotated.stderr
    run("key", "revoke", "2")
    clock.advance(hours=3)
    listed = run("key", "list").stdout
    assert "My [bold]iPhone" in listed
    assert "replaced by 2" in listed
    assert "revoked" in listed
    events = json.loads(run("key", "events", "1", "--json").stdout)
    assert [event["event"] for event in events] == ["rotated", "enabled", "disabled", "created"]
    assert "in place of key 1" in run("key", "events").stdout
    run("key", "events", "9", fails=NotFound)
    assert first[20:] not in listed + json.dumps(events)


def test_attempts_are_shown_with_what_to_change(run, services):
    assert "No request" in run("key", "attempts").stdout
    key = made(run, "Phone")
    with pytest.raises(AccessError):
        services.keys.admit(read_presented([("X-Token", key)], "", "Daily\x1b[2J"), Scope.INGEST, "192.0.2.7")
    shown = run("key", "attempts").stdout
    assert "192.0.2.7" in shown
    assert "“X-Token”" in shown
    assert "\x1b" not in shown
    (told,) = json.loads(run("key", "attempts", "--json").stdout)
    assert told["reason"] == "wrong_header"
    assert key[20:] not in shown + json.dumps(told)


def test_people_are_added_renamed_changed_and_listed(run):
    assert "nobody yet" in run("person", "list").stdout
    run("person", "create", "Anna", "--zone", "Asia/Tokyo")
    run("person", "create", "Ben")
    run("person", "create", " ANNA", fails=Conflict)
    run("person", "rename", "ben", "Benjamin")
    assert "is an owner" in run("person", "change", "benjamin", "--owner").stderr
    told = json.loads(run("person", "list", "--json").stdout)
    assert [(each["name"], each["time_zone"], each["is_owner"]) for each in told] == [
        ("Anna", "Asia/Tokyo", True),
        ("Benjamin", "Europe/Berlin", True),
    ]
    assert "Benjamin" in run("person", "list").stdout


def test_a_person_is_removed_only_when_it_was_meant_and_what_to_keep_was_said(run, services, tmp_path):
    for name in ("Anna", "Ben"):
        run("person", "create", name)
    file = tmp_path / "ben.zip"
    run("person", "delete", "Ben", "--yes", fails=Exception)
    run("person", "delete", "Ben", "--yes", "--no-export", "--export", str(file), fails=Exception)
    run("person", "delete", "Ben", "--export", str(file), answer="n\n", fails=Exception)
    run("person", "delete", "Ben", "--export", str(file), fails=Exception)
    assert len(services.people.everyone()) == 2
    removed = run("person", "delete", "ben", "--export", str(file), answer="y\n")
    assert str(file) in removed.stderr
    with ZipFile(file) as zipped:
        assert json.loads(zipped.read("person.ndjson"))["name"] == "Ben"
    run("person", "delete", "Ben", "--no-export", "--yes", fails=NotFound)
    run("person", "delete", "Anna", "--no-export", "--yes")
    assert services.people.everyone() == []


@pytest.mark.parametrize("words", [("key",), ("person",)])
def test_every_command_explains_itself(run, words):
    help_text = run(*words, "--help").stdout
    for name, command in cli.cli.commands[words[0]].commands.items():
        assert name in help_text
        told = run(*words, name, "--help").stdout
        assert command.help.split(".")[0].split()[0] in told
        assert all(option.help for option in command.params if option.param_type_name == "option"), name
