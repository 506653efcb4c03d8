"""Debian's own Postgres, Redis and pgbouncer as servers over TCP, with passwords, on folders and ports of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import redis

from appliance.engines.account import Account, engine_account
from appliance.engines.processes import spawn
from tests.fixtures.waiting import wait_until

USER = "house"
PASSWORD = "a word with % and @ in it"
QUOTED = "a%20word%20with%20%25%20and%20%40%20in%20it"

# Fewer than the requests one instance works on at a time, so that connections to Postgres are really shared.
BOUNCED_CONNECTIONS = 4


def program(name: str, *places: str) -> Path:
    """Return Debian's program of this name, the newest if there are several."""
    on_path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    found = sorted(path for place in places for path in Path("/").glob(f"{place}/{name}"))
    if not found and not on_path:
        pytest.skip(f"{name} is not installed; on Debian: apt install postgresql redis-server pgbouncer")
    return found[-1] if found else Path(str(on_path))


@contextmanager
def postgres(folder: Path) -> Iterator[int]:
    """Have a Postgres with a password for `USER`, and return its port."""
    initdb = program("initdb", "usr/lib/postgresql/*/bin")
    account = _account(folder)
    word = _written(folder / "word", PASSWORD, account)
    subprocess.run(
        [initdb, "-D", folder / "data", "-U", USER, "--auth=scram-sha-256", f"--pwfile={word}",
         "--encoding=UTF8", "--locale=C", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **_as(account),
    )  # fmt: skip
    port = _free_port()
    options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
    command = [initdb.parent / "postgres", "-D", folder / "data"]
    command += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with _running(command, folder, account, signal.SIGINT):
        wait_until(lambda: _lets_in(postgres_url(port, "postgres")), within_s=20)
        yield port


@contextmanager
def pgbouncer(folder: Path, postgres_port: int) -> Iterator[int]:
    """Have a pgbouncer that shares connections by the transaction, and return its port.

    Nothing is set for us beyond the address: what a plain pgbouncer refuses, it refuses here.
    """
    account = _account(folder)
    port = _free_port()
    users = _written(folder / "users.txt", f'"{USER}" "{PASSWORD}"\n', account)
    settings = _written(
        folder / "pgbouncer.ini",
        f"""
        [databases]
        * = host=127.0.0.1 port={postgres_port}
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = scram-sha-256
        auth_file = {users}
        pool_mode = transaction
        default_pool_size = {BOUNCED_CONNECTIONS}
        max_client_conn = 200
        """.replace("        ", ""),
        account,
    )
    with _running([program("pgbouncer"), settings], folder, account, signal.SIGTERM):
        wait_until(lambda: _lets_in(postgres_url(port, "postgres")), within_s=20)
        yield port


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Have a Redis with a password, and return its URL."""
    account = _account(folder)
    port = _free_port()
    settings = _written(
        folder / "redis.conf",
        f'bind 127.0.0.1\nport {port}\nrequirepass "{PASSWORD}"\nsave ""\ndir "{folder}"\n',
        account,
    )
    url = f"redis://:{QUOTED}@127.0.0.1:{port}/0"
    with (
        _running([program("redis-server"), settings], folder, account, signal.SIGTERM),
        redis.Redis.from_url(url) as client,
    ):
        wait_until(lambda: _pongs(client), within_s=20)
        yield url


def postgres_url(port: int, database: str) -> str:
    """Return the address of a database, as a person would write it into the setting."""
    return f"postgresql://{USER}:{QUOTED}@127.0.0.1:{port}/{database}"


@contextmanager
def _running(
    command: list[Path | str], folder: Path, account: Account, stop: signal.Signals
) -> Iterator[None]:
    process = spawn(
        command,
        folder=folder,
        account=account,
        log_file=folder / "log",
        death_signal=signal.SIGKILL,
    )
    try:
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _account(folder: Path) -> Account:
    """Make the server's folder, and return who it runs as: Postgres and pgbouncer refuse to be root."""
    account = engine_account("hearthbeat")
    folder.mkdir()
    if account.borrowed:
        os.chown(folder, account.uid, account.gid)
    return account


def _as(account: Account) -> dict[str, object]:
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account.borrowed else {}


def _written(path: Path, content: str, account: Account) -> Path:
    path.write_text(content)
    path.chmod(0o600)
    if account.borrowed:
        os.chown(path, account.uid, account.gid)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _lets_in(url: str) -> bool:
    with suppress(psycopg.Error), psycopg.connect(url, connect_timeout=2):
        return True
    return False


def _pongs(client: redis.Redis) -> bool:
    with suppress(redis.RedisError):
        return bool(client.ping())
    return False
