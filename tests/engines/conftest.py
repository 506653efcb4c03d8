from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from appliance.engines.account import engine_account
from appliance.engines.postgres import EmbeddedPostgres
from appliance.engines.valkey import EmbeddedValkey

OURS = {"postgres", "initdb", "valkey-server"}


@pytest.fixture(scope="session")
def environment():
    """What a program of ours needs to find the same packages as the tests."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}


@pytest.fixture(scope="session")
def account():
    return engine_account("hearthbeat")


@pytest.fixture
def engine_processes(folder):
    """Every engine process at work below the test's folder."""

    def find():
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.name() in OURS and Path(process.cwd()).is_relative_to(folder):
                    found.append(process)
        return found

    return find


@pytest.fixture
def folder(tmp_path):
    """Where engines live; as root its parents are closed to everybody else, as in /root."""
    folder = Path(os.path.realpath(tmp_path)) / "data" / "engines"
    folder.parent.mkdir(mode=0o700)
    return folder


@pytest.fixture(autouse=True)
def nothing_left_running(engine_processes):
    yield
    left = engine_processes()
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert not left


@pytest.fixture
def new_postgres(folder):
    """Make engines for the test's folder that are stopped at its end."""
    made = []

    def make(**options):
        made.append(EmbeddedPostgres(options.pop("folder", folder), **options))
        return made[-1]

    yield make
    for engine in made:
        engine.stop()


@pytest.fixture
def postgres(new_postgres):
    engine = new_postgres()
    engine.start()
    return engine


@pytest.fixture
def valkey(folder):
    engine = EmbeddedValkey(folder)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def launch_supervisor(folder, environment):
    """Start the supervisor program; its Popen comes back at once."""
    running = []

    def launch(*arguments):
        running.append(
            subprocess.Popen(
                [sys.executable, Path(__file__).with_name("supervisor.py"), folder, *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return running[-1]

    yield launch
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def supervised(launch_supervisor):
    """Start the supervisor and return it with its engines' processes once they are ready."""

    def start(*arguments):
        supervisor = launch_supervisor(*arguments)
        pids = json.loads(supervisor.stdout.readline())
        return supervisor, {name: psutil.Process(pid) for name, pid in pids.items()}

    return start
