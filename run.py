#!/usr/bin/env python3
"""Start Hearthbeat: `python3 run.py ARGS…` installs it into `.venv` beside this file, then runs `hearthbeat ARGS…`.

Two words are this file's own, all others go to `hearthbeat`:

    python3 run.py test [ARGS…]     every check there is, or `pytest ARGS…` alone
    python3 run.py bench [NAME]     the measurements

Standard library only, and written so that an old Python can read it far enough to be told that it is too old.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

if sys.version_info < (3, 11):  # noqa: UP036 - whoever has less reads this line and no other
    sys.exit("Hearthbeat needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info))

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed-from"
LOCK = ROOT / "requirements.txt"
FRONT_END = ROOT / "web" / "frontend"
WINDOWS = os.name == "nt"


def program(name: str) -> str:
    """Return the path of a program that is installed in `.venv`."""
    return str(VENV / "Scripts" / f"{name}.exe" if WINDOWS else VENV / "bin" / name)


PYTHON = program("python")
# What the tests need from the system, beside Python; installed when root runs them on Debian.
DEBIAN_PACKAGES: list[str] = [
    *("chromium", "fonts-dejavu-core", "pgbouncer", "postgresql", "redis-server"),
    # A desktop with a panel to show the tray's icon on, and what checks its start at login and its voice at home.
    *("xvfb", "xfce4-panel", "xdotool", "dbus", "python3-gi", "gir1.2-ayatanaappindicator3-0.1"),
    *("desktop-file-utils", "systemd", "iproute2"),
]
CHECKS = (
    ("ruff check", [program("ruff"), "check", "."]),
    ("ruff format", [program("ruff"), "format", "--check", "."]),
    ("mypy", [program("mypy")]),
    ("lint-imports", [program("lint-imports"), "--no-logo"]),
)
PYTEST = [PYTHON, "-m", "pytest", "-p", "tests.no_skips"]
# The whole suite waits for engines and phones as much as it computes. A suite keeps its order and so its engines.
SIDE_BY_SIDE = ["-n", str(max(2, min(os.cpu_count() or 2, 4))), "--dist", "worksteal"]
OFFLINE_SIGNS = ("connection", "name resolution", "dns error", "timed out", "failed to fetch", "unreachable")


def main(words: list[str]) -> NoReturn:
    """Install what is missing, then become the program that was asked for."""
    install()
    if words[:1] == ["test"]:
        test(words[1:])
    if words[:1] == ["bench"]:
        os.chdir(ROOT)
        become([PYTHON, "-m", "tests.bench", *words[1:]])
    become([program("hearthbeat"), *(words or ["--help"])])


def test(pytest_words: list[str]) -> NoReturn:
    """Run every check, the cheapest first, and stop at the first that fails."""
    install_debian_packages()
    os.chdir(ROOT)
    # The tests start the program some hundred times; compiling it each time would be a quarter of a start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name, command in () if pytest_words else CHECKS:
        print(f"— {name}", flush=True)
        code = subprocess.run(command, check=False).returncode
        if code:
            stop(f"Failed: {name}.")
    print("— pytest", flush=True)
    become([*PYTEST, *(pytest_words or SIDE_BY_SIDE)])


def become(command: list[str]) -> NoReturn:
    """Hand this process over to `command`, so that signals and the exit code are its own."""
    if not WINDOWS:
        os.execv(command[0], command)  # noqa: S606 - no shell, on purpose
    # Ctrl-C reaches both processes there; only the program itself may decide what it means.
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.exit(subprocess.run(command, check=False).returncode)


def install() -> None:
    """Bring `.venv` to what `requirements.txt` and `pyproject.toml` say, unless it is there already."""
    if is_installed():
        return
    try:
        with only_installer() as lock:
            if not is_installed():
                fill_environment(lock)
    except OSError as error:
        stop(f"{VENV} cannot be written: {error}. Is Hearthbeat still running from it?")


def fill_environment(lock: BinaryIO) -> None:
    """Install into `.venv`, anew if it belongs to another Python or an earlier attempt was cut short."""
    stamp = read_stamp()
    uv = shutil.which("uv")
    if not uv and not importlib.util.find_spec("ensurepip"):
        stop("This Python cannot make environments. On Debian and Ubuntu: sudo apt install python3-venv")
    first = "First start: installing into .venv (about a minute) …"
    print("The project changed: updating .venv …" if stamp else first, flush=True)
    STAMP.unlink(missing_ok=True)
    if VENV.exists() and not stamp.startswith(this_python()):
        shutil.rmtree(VENV)
    if uv:
        run_quietly([uv, "venv", "--allow-existing", "--python", sys.executable, str(VENV)], lock)
        pip = [uv, "pip", "install", "--python", PYTHON]
    else:
        run_quietly([sys.executable, "-m", "venv", str(VENV)], lock)
        pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    run_quietly([*pip, "--require-hashes", "-r", str(LOCK)], lock)
    # Isolation would fetch the build backend anew, without a hash; the locked one is already here.
    run_quietly([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], lock)
    STAMP.write_text(wanted_stamp(), encoding="utf-8")


def is_installed() -> bool:
    """Whether `.venv` holds exactly what is wanted: the stamp is written last and removed first."""
    return read_stamp() == wanted_stamp()


def read_stamp() -> str:
    """Say what `.venv` was installed from; nothing, if never or not to the end."""
    return STAMP.read_text(encoding="utf-8") if STAMP.exists() else ""


def wanted_stamp() -> str:
    """Describe the Python, the place and the files an installation depends on: what is installed, what is built."""
    digest = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes())
    for path in sorted([*FRONT_END.glob("*.js*"), *(FRONT_END / "src").rglob("*.*")]):
        digest.update(path.read_bytes())
    return f"{this_python()}{digest.hexdigest()}\n"


def this_python() -> str:
    """Describe what an environment cannot outlive: its Python and its folder."""
    return f"{' '.join(sys.version.split())}\n{sys.base_prefix}\n{ROOT}\n"


@contextlib.contextmanager
def only_installer() -> Iterator[BinaryIO]:
    """Wait until no other run.py installs here. The lock is on this very file, which nobody deletes."""
    with Path(__file__).open("r+b") as handle:
        if not try_lock(handle):
            print("Another run.py is installing; waiting for it …", flush=True)
            while not try_lock(handle):
                time.sleep(0.2)
        yield handle


def try_lock(handle: BinaryIO) -> bool:
    """Take the lock if it is free. It goes when the last process that holds the file open ends."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists on Windows alone

            handle.seek(1 << 30)  # beyond the end: a locked byte cannot be read, and Python reads this file
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - exists on POSIX alone

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def run_quietly(command: list[str], lock: BinaryIO) -> None:
    """Run an installer, and show what it said only if it failed.

    It inherits the lock: should this process be killed, the lock stays until the installer is gone too.
    """
    result = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=() if WINDOWS else (lock.fileno(),),
    )
    if result.returncode == 0:
        return
    print(result.stdout, file=sys.stderr)
    if any(sign in result.stdout.lower() for sign in OFFLINE_SIGNS):
        stop("The download failed. Is this computer online? Then run the same command again.")
    stop("Installing into .venv failed; the lines above say why.")


def install_debian_packages() -> None:
    """Install what the tests need from Debian, if this is Debian and we may."""
    if WINDOWS or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    missing = [package for package in DEBIAN_PACKAGES if not has_debian_package(package)]
    if not missing:
        return
    # The tests start these servers themselves, on folders of their own; no service is to start by its installation.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_OFFLINE": "1"}
    for words in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *missing]):
        if subprocess.run(["apt-get", *words], env=environment, check=False).returncode:  # noqa: S607
            stop(f"apt-get could not install what the tests need: {' '.join(missing)}.")


def has_debian_package(name: str) -> bool:
    """Ask dpkg whether a package is installed."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name]
    return subprocess.run(query, check=False, capture_output=True, text=True).stdout == "installed"


def stop(sentence: str) -> NoReturn:
    """End with one sentence a person can act on."""
    sys.exit(sentence)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
