from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy

from appliance.engines import postgres_posix
from appliance.engines.places import run_folder
from appliance.engines.postgres import EmbeddedPostgres
from appliance.engines.programs import Version
from appliance.foundation.errors import AlreadyRunning, DataFolderNewer, EngineFailed, HostError
from tests.fixtures.waiting import has_ended

AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root runs engines under another account")


def connect(engine):
    return psycopg.connect(
        host=str(run_folder(engine.folder)),
        port=5432,
        user="hearthbeat",
        dbname="hearthbeat",
        autocommit=True,
    )


def ask(engine, question):
    with connect(engine) as connection:
        return connection.execute(question).fetchone()[0]


def write_row(engine):
    with connect(engine) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 72 AS bpm")


def test_first_and_second_start_keep_the_data(new_postgres, record_testsuite_property):
    for turn in ("first", "second"):
        engine = new_postgres()
        begin = time.monotonic()
        engine.start()
        record_testsuite_property(f"postgres_{turn}_start_s", round(time.monotonic() - begin, 3))
        if turn == "first":
            write_row(engine)
        assert ask(engine, "SELECT bpm FROM kept") == 72
        assert engine.answers()
        engine.stop()
        assert not engine.answers()


def test_the_address_is_one_sqlalchemy_takes_whatever_the_environment_says(postgres, monkeypatch):
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    engine = sqlalchemy.create_engine(postgres.url)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT current_user || current_database()")).scalar() == (
            "hearthbeathearthbeat"
        )
    engine.dispose()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("synchronous_commit", "on"),
        ("fsync", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("TimeZone", "UTC"),
        ("io_method", "sync"),
        ("work_mem", "8MB"),
    ],
)
def test_it_runs_as_configured(configured, setting, value):
    assert configured[setting] == value


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    engine = EmbeddedPostgres(tmp_path_factory.mktemp("configured") / "engines", options={"work_mem": "8MB"})
    engine.start()
    with connect(engine) as connection:
        yield dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall()) | {
            "work_mem": ask(engine, "SHOW work_mem")
        }
    engine.stop()


def test_text_is_utf8_and_sorted_by_the_builtin_locale(postgres):
    with connect(postgres) as connection:
        row = connection.execute(
            "SELECT pg_encoding_to_char(encoding), datlocprovider, datlocale FROM pg_database WHERE datname = %s",
            ["hearthbeat"],
        ).fetchone()
    assert row == ("UTF8", "b", "C.UTF-8")


def test_nothing_listens_on_tcp(postgres):
    server = psutil.Process(postgres.process.pid)
    for process in (server, *server.children(recursive=True)):
        with contextlib.suppress(
            psutil.NoSuchProcess
        ):  # those that served the first connections are just ending
            assert not process.net_connections(kind="inet")


def test_values_of_failed_statements_stay_out_of_the_log(postgres):
    with connect(postgres) as connection, pytest.raises(psycopg.Error):
        connection.execute("SELECT 'heartrate191'::integer")
    assert "heartrate191" not in postgres.last_lines(1000)


def test_what_was_acknowledged_survives_a_killed_server(new_postgres):
    engine = new_postgres()
    engine.start()
    write_row(engine)
    engine.process.kill()
    engine.process.wait()
    assert not engine.alive()
    engine.stop()
    engine = new_postgres()
    engine.start()
    assert ask(engine, "SELECT bpm FROM kept") == 72


def test_two_on_one_folder_are_refused_and_the_first_goes_on(postgres, new_postgres):
    with pytest.raises(AlreadyRunning):
        new_postgres().start()
    assert postgres.answers()


def test_stopping_twice_or_before_starting_does_nothing(new_postgres):
    engine = new_postgres()
    engine.stop()
    engine.start()
    engine.stop()
    engine.stop()


def test_a_killed_supervisor_leaves_nothing_behind(supervised, engine_processes, eventually, new_postgres):
    supervisor, engines = supervised()
    assert all(process.is_running() for process in engines.values())
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: not engine_processes(), within_s=60)  # Postgres writes what it has in memory
    new_postgres().start()


def test_an_orphan_is_stopped_by_the_next_start(supervised, new_postgres, eventually):
    supervisor, engines = supervised("no-death-signal")
    supervisor.kill()
    supervisor.wait()
    time.sleep(0.3)
    orphan = engines["postgres"]
    assert orphan.is_running()
    engine = new_postgres()
    assert engine.answers()
    engine.start()
    assert has_ended(orphan)
    assert engine.process.pid != orphan.pid
    assert "received fast shutdown request" in engine.last_lines(100)
    valkey = engines["valkey"]
    valkey.kill()
    eventually(lambda: has_ended(valkey))


def test_an_orphan_is_known_even_where_its_folder_cannot_be_seen(supervised, new_postgres, monkeypatch):
    supervisor, engines = supervised("no-death-signal")
    supervisor.kill()
    supervisor.wait()
    engines["valkey"].kill()
    with monkeypatch.context() as patch:

        def hidden(process):
            raise psutil.AccessDenied(process.pid)

        patch.setattr(psutil.Process, "cwd", hidden)
        engine = new_postgres()
        engine.start()
    assert has_ended(engines["postgres"])
    assert engine.answers()


@pytest.fixture
def stopped(new_postgres):
    engine = new_postgres()
    engine.start()
    engine.stop()
    return engine


def pretend_running(engine, pid):
    (engine.folder / "postgres" / "postmaster.pid").write_text(
        f"{pid}\n/proc/self/cwd\n{int(time.time())}\n5432\n../run\n\n 1 1\nready   \n"
    )


def test_a_pid_file_naming_a_strangers_process_is_stale(stopped, account):
    # Of the server's own account, because Postgres itself looks no further than that.
    stranger = subprocess.Popen(["sleep", "60"], user=account.uid if AS_ROOT else None)
    try:
        pretend_running(stopped, stranger.pid)
        stopped.start()
        assert stopped.answers()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_pid_file_naming_a_dead_child_nobody_has_collected_is_stale(stopped, eventually):
    zombie = subprocess.Popen(["true"])
    eventually(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_ZOMBIE)
    pretend_running(stopped, zombie.pid)
    stopped.start()
    assert stopped.answers()
    zombie.wait()


def test_a_pid_file_of_rubbish_is_no_obstacle(stopped):
    (stopped.folder / "postgres" / "postmaster.pid").write_text("rubbish\n")
    with pytest.raises(EngineFailed, match="postmaster"):
        stopped.start()


def test_a_killed_first_start_leaves_nothing_half_made(launch_supervisor, folder, eventually, new_postgres):
    supervisor = launch_supervisor()
    eventually((folder / "postgres.new" / "PG_VERSION").exists, within_s=30)
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    assert not (folder / "postgres").exists()
    engine = new_postgres()
    engine.start()
    assert engine.answers()
    assert not (folder / "postgres.new").exists()


def test_an_orphaned_initdb_is_stopped_too(launch_supervisor, folder, eventually, new_postgres):
    supervisor = launch_supervisor("no-death-signal")
    eventually((folder / "postgres.new" / "PG_VERSION").exists, within_s=30)
    supervisor.kill()
    supervisor.wait()
    new_postgres().start()
    assert not (folder / "postgres.new").exists()


def test_a_path_too_long_for_a_socket_falls_back(tmp_path, new_postgres):
    folder = tmp_path / ("long-" * 20) / "engines"
    engine = new_postgres(folder=folder)
    engine.start()
    run = run_folder(folder)
    try:
        assert run.parent == Path("/tmp")
        assert run.stat().st_mode & 0o777 == 0o700
        assert engine.answers()
        assert EmbeddedPostgres(folder).answers()
    finally:
        engine.stop()
        shutil.rmtree(run)


@pytest.mark.parametrize("name", ["with space", 'quo"te', "per%cent", "com,ma", "üñí", "a'b"])
def test_folders_of_any_name_work(tmp_path, name, new_postgres):
    engine = new_postgres(folder=tmp_path / name / "engines")
    engine.start()
    database = sqlalchemy.create_engine(engine.url)
    with database.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
    database.dispose()
    engine.stop()
    run = run_folder(engine.folder)
    if run.parent == Path("/tmp"):
        shutil.rmtree(run)


@pytest.mark.parametrize(("written_by", "error"), [("99", DataFolderNewer), ("12", EngineFailed)])
def test_data_of_another_major_version_is_refused_with_a_sentence(folder, new_postgres, written_by, error):
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "PG_VERSION").write_text(written_by + "\n")
    with pytest.raises(error, match=rf"Postgres {written_by}"):
        new_postgres().start()


def test_a_server_that_stops_at_once_says_why(new_postgres):
    engine = new_postgres(options={"shared_buffers": "plenty"})
    with pytest.raises(EngineFailed, match="shared_buffers"):
        engine.start()
    assert engine.process is None
    assert 'invalid value for parameter "shared_buffers"' in engine.last_lines()


def test_missing_programs_are_a_host_error_with_the_mend(tmp_path, new_postgres):
    with pytest.raises(HostError, match="postgres_bin"):
        new_postgres(bin_folder=tmp_path).start()


def test_a_large_log_is_kept_once(stopped):
    log = stopped.folder / "postgres.log"
    with log.open("ab") as file:
        file.truncate(11 * 1024 * 1024)
    stopped.start()
    assert log.stat().st_size < 1024 * 1024
    assert log.with_name("postgres.log.1").exists()


@needs_root
def test_as_root_the_server_is_another_account_without_privileges(postgres, account):
    server = psutil.Process(postgres.process.pid)
    assert server.uids().real == server.uids().effective == server.uids().saved == account.uid != 0
    assert server.gids().effective == account.gid
    status = Path(f"/proc/{server.pid}/status").read_text()
    assert "Groups:\t \n" in status


@needs_root
def test_as_root_programs_that_cannot_start_from_closed_folders_are_refused(
    new_postgres, folder, monkeypatch
):
    monkeypatch.setattr(postgres_posix, "postgres_version", lambda _folder: Version(15, "15.1"))
    with pytest.raises(HostError, match="16 or newer"):
        new_postgres().start()
    assert not (folder / "postgres").exists()


@needs_root
def test_as_root_the_account_owns_its_own_folders_only(postgres, account, folder):
    owners = {path.name: path.stat().st_uid for path in folder.iterdir()}
    assert owners.pop("postgres") == owners.pop("run") == account.uid
    assert set(owners.values()) == {0}
    assert folder.stat().st_uid == 0


@needs_root
def test_as_root_data_of_an_ordinary_user_is_taken_over(stopped, account):
    someone = 54321
    for name in ("postgres", "run"):
        for path in ((stopped.folder / name), *(stopped.folder / name).rglob("*")):
            os.chown(path, someone, someone, follow_symlinks=False)
    stopped.start()
    assert stopped.answers()
    assert (stopped.folder / "postgres" / "global").stat().st_uid == account.uid


# It changes its account itself, because that account may not reach the interpreter.
KNOCK = """
import os, socket, struct, sys
os.setgroups([])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[2]))
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
said = struct.pack("!i", 196608) + b"user\\0hearthbeat\\0database\\0hearthbeat\\0\\0"
s.sendall(struct.pack("!i", len(said) + 4) + said)
print(s.recv(4096))
"""


def knock_as_nobody(path):
    nobody = pwd.getpwnam("nobody")
    return subprocess.run(
        [sys.executable, "-c", KNOCK, path, str(nobody.pw_uid), str(nobody.pw_gid)],
        capture_output=True,
        text=True,
        check=False,
    )


@needs_root
def test_another_account_cannot_connect(new_postgres):
    open_folder = Path(tempfile.mkdtemp(prefix="hb-open-", dir="/tmp"))
    try:
        open_folder.chmod(0o755)
        engine = new_postgres(folder=open_folder / "engines")
        engine.start()
        door = run_folder(engine.folder) / ".s.PGSQL.5432"
        assert "PermissionError" in knock_as_nobody(door).stderr
        # And if the folder's door stood open, the server itself would not let them in.
        door.parent.chmod(0o755)
        door.chmod(0o777)
        answer = knock_as_nobody(door)
        assert "Peer authentication failed" in answer.stdout, answer.stderr
        engine.stop()
    finally:
        shutil.rmtree(open_folder)


def test_knocking_reaches_the_server_for_us(postgres):
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(run_folder(postgres.folder) / ".s.PGSQL.5432"))
