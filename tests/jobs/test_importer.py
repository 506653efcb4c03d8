"""Imports as programs of their own: begun in turn, stopped, gone on with after whatever ended them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from appliance.domain.delivery import DeliveryState
from appliance.domain.importing import ImportState
from appliance.jobs.importer import NICENESS, ImportWorker, environment_of, import_command
from tests.fixtures.apple_export import AppleExport

EXPORT = AppleExport(days=2)
HELD = Path(__file__).parents[1] / "fixtures" / "held_import.py"


@pytest.fixture
def anna(services):
    return services.people.ensure("Anna").person_id


@pytest.fixture
def worker(services, settings, database_url, cache_url):
    """Make workers, which end with the test; `command` as theirs."""
    made = []
    elsewhere = {"database_url": type(settings.database_url)(database_url)}
    chosen = settings.model_copy(update=elsewhere | {"redis_url": type(settings.redis_url)(cache_url)})

    def make(command=import_command):
        made.append(ImportWorker(services.deliveries, chosen, command))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def bring(services, anna, tmp_path):
    def bring_it(content=None, name="export.zip"):
        content = content or EXPORT.zip(tmp_path / "here.zip").read_bytes()
        one = services.deliveries.begin(anna, name, len(content), 1)
        services.deliveries.put(anna, one.delivery_id, 0, content)
        return services.deliveries.finish(anna, one.delivery_id)

    return bring_it


@pytest.fixture
def becomes(services, anna, eventually):
    """Wait until a delivery is in a state, and return it."""

    def wait(delivery, state):
        def look():
            found = services.deliveries.find(anna, delivery.delivery_id)
            assert found.state is not DeliveryState.FAILED or state is DeliveryState.FAILED, found.told
            return found if found.state is state else None

        return eventually(look, within_s=30)

    return wait


def held_in(folder):
    """Return a command that imports and stands still after the first part, until `go` is in the folder."""
    folder.mkdir(exist_ok=True)
    return (
        lambda delivery, path: [
            sys.executable,
            "-P",  # the folder of fixtures holds names of the standard library
            str(HELD),
            str(folder),
            *import_command(delivery, path)[3:],
        ]
    )


def test_a_file_is_imported_by_a_program_of_its_own_that_gives_way(
    services, anna, worker, bring, becomes, tmp_path, eventually
):
    held = worker(held_in(tmp_path / "gate"))
    delivery = bring(name="--my “past”.zip")
    eventually((tmp_path / "gate" / "held").exists, within_s=30)
    (child,) = held._children
    assert child.process.pid != os.getpid()
    if os.name == "posix":
        assert psutil.Process(child.process.pid).nice() >= NICENESS
    (run,) = services.importing.listed(anna)
    assert run.state is ImportState.RUNNING
    (tmp_path / "gate" / "go").touch()
    ended = becomes(delivery, DeliveryState.ENDED)
    run = services.importing.find(anna, ended.upload_id)
    assert (run.state, run.name) == (ImportState.DONE, "--my “past”.zip")
    assert run.counts.adds_up()
    assert not services.deliveries.path(ended).exists()
    assert bring(name="again.zip").upload_id == run.upload_id


def test_one_that_is_stopped_or_ends_with_the_server_goes_on_where_it_was(
    services, anna, worker, bring, becomes, tmp_path, eventually
):
    gate = tmp_path / "gate"
    first = worker(held_in(gate))
    delivery = bring()
    eventually((gate / "held").exists, within_s=30)
    services.deliveries.stop(anna, delivery.delivery_id)
    (gate / "go").touch()
    stopped = becomes(delivery, DeliveryState.STOPPED)
    run = services.importing.find(anna, stopped.upload_id)
    assert run.state is ImportState.STOPPED
    assert 0 < run.done < run.total
    for each in ("held", "go"):
        (gate / each).unlink()
    services.deliveries.finish(anna, delivery.delivery_id)
    eventually((gate / "held").exists, within_s=30)
    first.stop()
    again = services.importing.find(anna, run.upload_id)
    assert again.state is ImportState.STOPPED
    assert again.done > run.done
    assert services.deliveries.find(anna, delivery.delivery_id).state is DeliveryState.WAITING

    (gate / "held").unlink()
    second = worker(held_in(gate))
    eventually((gate / "held").exists, within_s=30)
    (left,) = second._children
    second._children.clear()  # as a server leaves it that was killed
    second.stop()
    assert services.importing.find(anna, run.upload_id).state is ImportState.RUNNING
    worker()
    assert not psutil.pid_exists(left.process.pid)
    left.process.wait(30)
    becomes(delivery, DeliveryState.ENDED)
    (done,) = services.importing.listed(anna)
    assert (done.state, done.done) == (ImportState.DONE, done.total)
    assert done.counts.adds_up()


def test_what_is_no_export_is_told_in_the_programs_own_words(services, worker, bring, becomes):
    says = "import sys; sys.exit('a line of the log\\nThis cannot be imported: ' + sys.argv[1] + ' is none.')"
    worker(lambda _delivery, path: [sys.executable, "-c", says, path.name])
    assert becomes(bring(), DeliveryState.UNREADABLE).told == "export.zip is none."


def test_a_program_that_breaks_off_is_told_and_can_go_on(services, worker, bring, becomes):
    worker(lambda _delivery, _path: [sys.executable, "-c", "raise SystemExit('Traceback: 72 bpm')"])
    failed = becomes(bring(), DeliveryState.FAILED)
    assert failed.told == "The import broke off (status 1)."
    assert services.deliveries.path(failed).exists()


def test_a_program_is_given_the_servers_settings_and_no_others(settings):
    chosen = settings.model_copy(update={"database_url": type(settings.database_url)("postgresql://x/y")})
    given = environment_of(chosen, {"HEARTHBEAT_PORT_FILE": "/nowhere", "PATH": "/bin"})
    assert given["HEARTHBEAT_DATABASE_URL"] == "postgresql://x/y"
    assert given["HEARTHBEAT_DATA_DIR"] == str(settings.data_dir)
    assert given["PATH"] == "/bin"
    assert "HEARTHBEAT_PORT_FILE" not in given
