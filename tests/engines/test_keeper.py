from __future__ import annotations

import contextlib

import psutil
import pytest

from appliance.engines import keeper as keeper_module
from appliance.engines.keeper import Keeper
from appliance.engines.postgres import EmbeddedPostgres
from appliance.engines.valkey import EmbeddedValkey
from appliance.foundation.errors import EngineFailed


class PretendEngine:
    """An engine that does what the test tells it."""

    process = None
    url = ""
    patience_s = 1.0

    def __init__(self, name, diary, *, fails=False, ready_after=1):
        self.name = name
        self.diary = diary
        self.fails = fails
        self.running = False
        self.ready_after = ready_after
        self.asked = 0

    def launch(self):
        self.diary.append(f"{self.name} launched")
        self.running = True
        self.asked = 0

    def ready(self):
        self.asked += 1
        if self.fails:
            self.running = False
            raise EngineFailed(f"{self.name} has no room")
        return self.asked >= self.ready_after

    def alive(self):
        return self.running

    def answers(self):
        return self.running

    def stop(self):
        if self.running:
            self.diary.append(f"{self.name} stopped")
        self.running = False

    def last_lines(self):
        return "the end of the log"


@pytest.fixture
def diary():
    return []


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(keeper_module, "PAUSES_S", (0.0, 0.0, 0.0))


@contextlib.contextmanager
def kept(*engines, **options):
    keeper = Keeper(engines, **options)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


def status(keeper, name):
    return keeper.state()[name].status


def test_engines_start_beside_each_other_and_stop_in_reverse(diary):
    with kept(PretendEngine("slow", diary, ready_after=5), PretendEngine("quick", diary)) as keeper:
        assert diary == ["slow launched", "quick launched"]
        assert status(keeper, "slow") == status(keeper, "quick") == "running"
    assert diary[2:] == ["quick stopped", "slow stopped"]
    assert status(keeper, "slow") == "stopped"


def test_the_first_failure_is_raised_and_nothing_stays(diary):
    good, bad = PretendEngine("good", diary), PretendEngine("bad", diary, fails=True)
    with pytest.raises(EngineFailed, match="bad has no room"):
        Keeper([good, bad]).start()
    assert not good.running


def test_one_that_is_never_ready_is_given_up(diary):
    with pytest.raises(EngineFailed, match="not ready after 1 s"):
        Keeper([PretendEngine("lazy", diary, ready_after=10**9)]).start()


def test_it_gives_up_after_three_restarts_and_says_why(diary, eventually):
    events = []
    engine = PretendEngine("frail", diary)
    other = PretendEngine("other", diary)
    with kept(engine, other, on_event=lambda name, fields: events.append((name, fields["engine"]))) as keeper:
        for _ in range(3):
            engine.running = False
            eventually(lambda: engine.running and status(keeper, "frail") == "running")
        engine.running = False
        eventually(lambda: status(keeper, "frail") == "failed")
        state = keeper.state()["frail"]
        assert "3 times within 10 minutes" in state.reason
        assert state.log == "the end of the log"
        assert status(keeper, "other") == "running"
    assert keeper.state()["frail"].status == "failed"
    assert events.count(("engine_restarted", "frail")) == 3
    assert events[-1] == ("engine_failed", "frail")


def test_a_restart_that_fails_counts_and_its_reason_is_kept(diary, eventually):
    engine = PretendEngine("frail", diary)
    with kept(engine) as keeper:
        engine.fails = True
        engine.running = False
        eventually(lambda: status(keeper, "frail") == "failed")
        assert "frail has no room" in keeper.state()["frail"].reason
    assert diary.count("frail launched") == 4


def test_one_that_stopped_waits_for_room_without_using_up_its_restarts(diary, eventually, monkeypatch):
    monkeypatch.setattr(keeper_module, "LOOK_FOR_ROOM_EVERY_S", 0.0)
    room = {"frail": True}
    looks = []

    def has_room(name):
        looks.append(name)
        return room[name]

    engine = PretendEngine("frail", diary)
    with kept(engine, has_room=has_room) as keeper:
        for turn in range(5):
            room["frail"] = False
            engine.running = False
            eventually(lambda: "no room left on the disk" in keeper.state()["frail"].reason)
            before = len(looks)
            eventually(lambda before=before: len(looks) > before + 5)
            assert diary.count("frail launched") == turn + 1
            room["frail"] = True
            eventually(lambda: engine.running and status(keeper, "frail") == "running")


def test_without_room_the_first_start_is_refused(diary):
    with pytest.raises(EngineFailed, match="free some space"):
        Keeper([PretendEngine("frail", diary)], has_room=lambda _name: False).start()
    assert diary == []


def test_old_restarts_are_forgotten(diary, eventually, monkeypatch):
    monkeypatch.setattr(keeper_module, "WITHIN_S", 0.0)
    engine = PretendEngine("frail", diary)
    with kept(engine) as keeper:
        for _ in range(5):
            engine.running = False
            eventually(lambda: engine.running and status(keeper, "frail") == "running")


def test_a_listener_that_raises_does_not_end_the_watch(diary, eventually):
    def listener(name, fields):
        raise ValueError(name)

    engine = PretendEngine("frail", diary)
    with kept(engine, on_event=listener) as keeper:
        engine.running = False
        eventually(lambda: engine.running and status(keeper, "frail") == "running")


def test_stopping_twice_or_before_starting_does_nothing(diary):
    keeper = Keeper([PretendEngine("good", diary)])
    keeper.stop()
    keeper.start()
    keeper.stop()
    keeper.stop()
    keeper.start()
    assert status(keeper, "good") == "running"
    keeper.stop()


def test_killed_engines_come_back(folder, eventually):
    postgres, valkey = EmbeddedPostgres(folder), EmbeddedValkey(folder)
    seen = []

    def note(event, fields):  # between two looks of ours it may be back already
        if event != "engine_ready":
            seen.append((event, status(keeper, fields["engine"])))

    with kept(postgres, valkey, on_event=note) as keeper:
        for number, engine in enumerate((postgres, valkey), 1):
            killed = engine.process.pid
            psutil.Process(killed).kill()
            eventually(lambda n=number: len(seen) == 2 * n, within_s=60)
            eventually(lambda e=engine: status(keeper, e.name) == "running")
            assert engine.answers()
            assert engine.process.pid != killed
            assert "killed by signal 9" in keeper.state()[engine.name].reason
    assert seen == [("engine_stopped", "restarting"), ("engine_restarted", "restarting")] * 2


def test_a_server_that_keeps_dying_is_given_up(folder, eventually):
    valkey = EmbeddedValkey(folder)
    with kept(valkey) as keeper:
        for _ in range(3):
            killed = valkey.process.pid
            psutil.Process(killed).kill()
            eventually(lambda k=killed: (now := valkey.process) and now.pid != k and valkey.answers())
            eventually(lambda: status(keeper, "valkey") == "running")
        psutil.Process(valkey.process.pid).kill()
        eventually(lambda: status(keeper, "valkey") == "failed")
        assert "Ready to accept connections" in keeper.state()["valkey"].log
