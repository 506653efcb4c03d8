from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from appliance.engines.lock import FolderLock
from appliance.foundation.errors import AlreadyRunning, HostError

HOLD = """
import sys, time
from pathlib import Path
from appliance.engines.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.acquire("serve")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path, environment):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_program_is_refused_with_a_sentence_naming_the_first(holder, tmp_path):
    with pytest.raises(AlreadyRunning) as refusal:
        FolderLock(tmp_path).acquire("key create")
    assert str(tmp_path) in str(refusal.value)
    assert f"process {holder.pid} (serve)" in str(refusal.value)


def test_a_killed_holder_lets_go(holder, tmp_path):
    holder.kill()
    holder.wait()
    FolderLock(tmp_path).acquire("serve", wait_s=2)


def test_waiting_ends_after_the_time_given(holder, tmp_path):
    begin = time.monotonic()
    with pytest.raises(AlreadyRunning):
        FolderLock(tmp_path).acquire("serve", wait_s=0.3)
    assert 0.3 <= time.monotonic() - begin < 5


def test_two_locks_in_one_program_exclude_each_other(tmp_path):
    with FolderLock(tmp_path), pytest.raises(AlreadyRunning):
        FolderLock(tmp_path).acquire("again")
    FolderLock(tmp_path).acquire("after")


def test_taking_it_twice_needs_giving_it_back_once(tmp_path):
    lock = FolderLock(tmp_path)
    lock.acquire("serve")
    lock.acquire("serve")
    lock.release()
    assert not lock.held
    lock.release()


def test_the_holder_can_be_read_while_it_holds(tmp_path):
    lock = FolderLock(tmp_path)
    assert lock.holder() is None
    lock.acquire("serve")
    assert (lock.holder().pid, lock.holder().role) == (os.getpid(), "serve")
    lock.release()
    assert lock.holder() is None


def test_names_tell_locks_in_one_folder_apart(tmp_path):
    with FolderLock(tmp_path, name="postgres"), FolderLock(tmp_path, name="valkey"):
        pass


def test_a_folder_that_is_not_there_is_a_host_error(tmp_path):
    (tmp_path / "file").touch()
    lock = FolderLock(tmp_path / "file" / "below")
    with pytest.raises(HostError, match="--data-dir"):
        lock.acquire("serve")
