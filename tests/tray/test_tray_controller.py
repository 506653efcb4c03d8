"""Looking after a server: taken on, started, started again but not for ever, stopped within a time."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

import pytest

from appliance.foundation.errors import MigrationFailed
from tests.tray.views import WELL
from tray.client import NoAnswer
from tray.controller import RESTART_AFTER_S, RESTARTS, RESTARTS_WITHIN_S, STOPS_WITHIN_S, Controller
from tray.state import Phase


@dataclass
class House:
    """The data folder, the time, and servers that do what the test says."""

    folder: object
    now: float = 1000.0
    status: int | None = None
    words: str = ""
    started: int = 0
    deeds: list[str] = field(default_factory=list)
    answers: bool = True
    can_start: bool = True

    pid = os.getpid()

    def launch(self):
        if not self.can_start:
            raise OSError("no such program")
        self.started += 1
        self.status = None
        return self

    def serve(self, pid=None):
        note = {"pid": pid or self.pid, "url": "http://127.0.0.1:1/", "secret": "s"}
        (self.folder / "serving.json").write_text(json.dumps(note))

    def vanish(self):
        (self.folder / "serving.json").unlink()

    def crash(self, words="killed"):
        self.serve(pid=2**22 + 1)  # beyond every process id
        self.status, self.words = -9, words

    # as a child
    def ended(self):
        return self.status

    def last_words(self):
        return self.words

    def terminate(self):
        self.deeds.append("terminate")

    def kill(self):
        self.deeds.append("kill")

    # as a client
    def client(self, presence):
        assert presence.secret == "s"
        return self

    def standing(self):
        if not self.answers:
            raise NoAnswer("busy")
        return WELL

    def stop(self):
        if not self.answers:
            raise NoAnswer("busy")
        self.deeds.append("stop")


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.fixture
def controller(house):
    return Controller(house.folder, house.launch, client=house.client, clock=lambda: house.now)


def started(house, controller):
    controller.look()
    controller.start()
    assert controller.look().phase is Phase.STARTING
    house.serve()
    assert controller.look().phase is Phase.RUNNING


def test_one_that_runs_is_taken_on_and_no_other_is_started(house, controller):
    house.serve()
    controller.start()
    known = controller.look()
    assert (known.phase, known.ours, known.standing, house.started) == (Phase.RUNNING, False, WELL, 0)


def test_one_is_started_where_none_runs(house, controller):
    started(house, controller)
    known = controller.look()
    assert (known.phase, known.ours, house.started) == (Phase.RUNNING, True, 1)
    controller.start()
    assert house.started == 1


def test_one_that_died_is_started_again_three_times_in_ten_minutes_and_then_no_more(house, controller):
    started(house, controller)
    for number in range(RESTARTS):
        house.crash(f"end {number}")
        known = controller.look()
        assert (known.phase, known.reason) == (Phase.CRASHED, f"end {number}")
        assert controller.look().phase is Phase.CRASHED, "not at once"
        house.now += RESTART_AFTER_S
        assert controller.look().phase is Phase.STARTING
        assert house.started == number + 2
        house.serve()
        assert controller.look().phase is Phase.RUNNING
    house.crash()
    for _ in range(3):
        house.now += RESTART_AFTER_S
        assert controller.look().phase is Phase.GIVEN_UP
    assert house.started == RESTARTS + 1
    controller.start()
    assert controller.look().phase is Phase.STARTING, "somebody wanted it"


def test_deaths_long_apart_are_always_followed_by_a_start(house, controller):
    started(house, controller)
    for _ in range(RESTARTS + 2):
        house.crash()
        assert controller.look().phase is Phase.CRASHED
        house.now += RESTART_AFTER_S
        controller.look()
        house.serve()
        house.now += RESTARTS_WITHIN_S
        assert controller.look().phase is Phase.RUNNING


def test_one_that_was_taken_on_and_killed_is_started_again_unless_its_own_keeper_was_faster(
    house, controller
):
    house.serve()
    controller.look()
    house.crash()
    assert controller.look().phase is Phase.CRASHED
    house.serve()
    house.now += RESTART_AFTER_S
    assert controller.look().phase is Phase.RUNNING
    house.now += RESTART_AFTER_S
    controller.look()
    assert house.started == 0


def test_one_that_somebody_else_stopped_stays_stopped(house, controller):
    house.serve()
    controller.look()
    house.vanish()
    assert controller.look().phase is Phase.STOPPED
    house.now += 100
    controller.look()
    assert house.started == 0


def test_our_own_that_ends_well_stays_stopped(house, controller):
    started(house, controller)
    house.vanish()
    house.status = 0
    assert controller.look().phase is Phase.STOPPED


def test_a_blocked_update_is_not_tried_again(house, controller):
    controller.start()
    house.status, house.words = 1, f"{MigrationFailed.title}: there is no room for the backup."
    known = controller.look()
    assert (known.phase, known.update_blocked) == (Phase.GIVEN_UP, True)


def test_a_program_that_cannot_be_started_says_why(house, controller):
    house.can_start = False
    controller.start()
    for _ in range(RESTARTS):
        assert "no such program" in controller.look().reason
        house.now += RESTART_AFTER_S
    assert controller.look().phase is Phase.GIVEN_UP


def test_stopping_asks_then_terminates_then_kills_what_is_ours(house, controller):
    started(house, controller)
    controller.stop()
    assert controller.look().phase is Phase.STOPPING
    assert house.deeds == ["stop"]
    controller.look()
    assert house.deeds == ["stop"], "asked once"
    house.now += STOPS_WITHIN_S + 1
    controller.look()
    assert house.deeds == ["stop", "terminate"]
    house.now += 30
    controller.look()
    assert house.deeds == ["stop", "terminate", "kill"]
    house.vanish()
    house.status = -9
    known = controller.look()
    assert (known.phase, house.started) == (Phase.STOPPED, 1), "a wanted end is no crash"


def test_one_that_is_not_ours_is_asked_and_never_killed(house, controller):
    house.serve()
    house.answers = False
    controller.look()
    controller.stop()
    for _ in range(10):
        house.now += STOPS_WITHIN_S
        controller.look()
    assert house.deeds == []
    assert controller.look().phase is Phase.RUNNING, "it goes on, and so does the icon"
    house.answers = True
    controller.stop()
    controller.look()
    assert house.deeds == ["stop"]


def test_one_that_is_starting_can_be_stopped(house, controller):
    controller.start()
    controller.stop()
    assert controller.look().phase is Phase.STOPPING
    assert house.deeds == ["terminate"]
    house.status = -15
    assert controller.look().phase is Phase.STOPPED


def test_a_restart_starts_only_when_the_first_is_gone(house, controller):
    started(house, controller)
    controller.restart()
    house.now += 5
    assert controller.look().phase is Phase.STOPPING
    assert house.started == 1
    house.vanish()
    house.status = 0
    assert controller.look().phase is Phase.STARTING
    assert house.started == 2


def test_how_long_it_has_not_answered_is_known(house, controller):
    started(house, controller)
    house.answers = False
    house.now += 10
    controller.look()
    house.now += 15
    known = controller.look()
    assert (known.phase, known.standing, known.unanswered_s) == (Phase.RUNNING, None, 25)
