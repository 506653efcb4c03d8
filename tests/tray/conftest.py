"""A real desktop without a screen: X, a session bus, a panel with a tray, and somebody who notes notifications."""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dbus_fast.aio import MessageBus
from PIL import Image, ImageChops, ImageGrab, ImageStat

from tests.fixtures.program import ROOT, environment
from tests.fixtures.waiting import wait_until
from tests.tray.notifications_service import Notifications
from tray.adapters.dbus_adapter import host_trouble
from tray.icons import picture
from tray.state import Kind

PANELS = 3
PROGRAMS = ("Xvfb", "dbus-daemon", "xfce4-panel", "xdotool")
SCREEN = (800, 600)
PANEL_HEIGHT = 32
PANEL = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
"""


@pytest.fixture(autouse=True)
def tidied() -> Iterator[None]:
    """Let what a bus leaves behind go here: its end runs code, which in the middle of compiling upsets Python 3.11."""
    yield
    gc.collect()


@dataclass
class Desktop:
    """Where programs show themselves, and what is seen there."""

    home: Path
    variables: dict[str, str]
    notified: list[tuple[str, str]] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a program of this desktop is started with."""
        return environment() | self.variables | more

    def screen(self) -> Image.Image:
        """Return what is to be seen now."""
        return ImageGrab.grab(xdisplay=self.variables["DISPLAY"]).convert("RGB")

    def icon(self) -> Kind | None:
        """Return which of the icons the panel shows, or None for none; told by its shape alone, in grey."""
        panel = self.screen().crop((0, 0, 64, PANEL_HEIGHT - 1))
        ground = panel.getpixel((60, 4))
        box = (
            ImageChops.difference(panel, Image.new("RGB", panel.size, ground))
            .convert("L")
            .point(lambda light: 255 * (light > 40))
            .getbbox()
        )
        if box is None or min(box[2] - box[0], box[3] - box[1]) < 10:
            return None
        seen = panel.crop(box)

        def distance(kind: Kind) -> float:
            drawn = picture(kind, 64)
            wanted = Image.new("RGB", drawn.size, ground)
            wanted.paste(drawn, (0, 0), drawn)
            rim = ImageChops.difference(wanted, Image.new("RGB", drawn.size, ground)).convert("L")
            wanted = wanted.crop(rim.point(lambda light: 255 * (light > 40)).getbbox())
            apart = ImageChops.difference(*(each.convert("L").resize((20, 20)) for each in (seen, wanted)))
            return ImageStat.Stat(apart).mean[0] + 40 * abs(
                seen.width / seen.height - wanted.width / wanted.height
            )

        return min(Kind, key=distance)

    def do(self, *words: str) -> None:
        """Move the mouse or press keys, in xdotool's words."""
        subprocess.run(["xdotool", *words], env=self.environment(), check=True, timeout=20)

    def menu_is_open(self) -> bool:
        """Whether anything is drawn below the panel."""
        return self.screen().crop((0, PANEL_HEIGHT + 4, *SCREEN)).getbbox() is not None

    def choose(self, place: int) -> None:
        """Open the menu by the right mouse button and choose an entry: the one of this place, counted from one among
        those that can be chosen.
        """
        wait_until(lambda: self.icon() is not None, within_s=15)
        for _ in range(5):  # a menu that just opened, or whose icon just changed, may not take keys yet
            self.do("mousemove", "16", "16", "click", "3")
            if not _soon(self.menu_is_open):
                continue
            self.do("key", "--delay", "20", *["Down"] * place, "Return")
            if _soon(lambda: not self.menu_is_open()):
                self.do("mousemove", "400", "500")
                return
            self.do("key", "Escape")
            _soon(lambda: not self.menu_is_open())
        raise AssertionError("the menu does not open, or takes no keys")


def _soon(condition: Callable[[], bool]) -> bool:
    with suppress(AssertionError):
        return bool(wait_until(condition, within_s=3))
    return False


@pytest.fixture(scope="session")
def desktop(tmp_path_factory) -> Iterator[Desktop]:
    """One desktop for all tests; a test takes its icon away again."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    assert missing == [], f"these programs are missing; run.py names their packages: {missing}"
    home = tmp_path_factory.mktemp("desktop")
    settings = home / "config/xfce4/xfconf/xfce-perchannel-xml"
    settings.mkdir(parents=True)
    (settings / "xfce4-panel.xml").write_text(PANEL)
    (home / "run").mkdir(mode=0o700)
    variables = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "NO_AT_BRIDGE": "1",
        "HEARTHBEAT_QUIET_HOURS": "",
    }
    with _x_server() as display:
        variables["DISPLAY"] = display
        with _bus(home, variables) as address:
            variables["DBUS_SESSION_BUS_ADDRESS"] = address
            desktop = Desktop(home, variables)
            with _notifications(address, desktop.notified), _panel(desktop):
                yield desktop


@contextmanager
def _ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def _x_server() -> Iterator[str]:
    size = f"{SCREEN[0]}x{SCREEN[1]}x24"
    # Whenever its last client leaves, as each look at the screen does, the server would begin anew, and turn away a
    # panel that is just connecting.
    words = ["-screen", "0", size, "-nolisten", "tcp", "-noreset"]
    for _ in range(5):  # two servers that start at once may want the same number; then one of them ends
        read, write = os.pipe()
        server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), *words],
            pass_fds=(write,),
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with _ended(server), os.fdopen(read) as told:
            if number := told.readline().strip():
                yield f":{number}"
                return
    raise AssertionError("Xvfb does not start")


@contextmanager
def _bus(home: Path, variables: dict[str, str]) -> Iterator[str]:
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={home}/run/bus"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment() | variables,
    )
    with _ended(daemon):
        assert daemon.stdout is not None
        yield daemon.stdout.readline().strip()


@contextmanager
def _shown_panel(desktop: Desktop) -> Iterator[None]:
    """A panel that is on the screen; one that does not come, on a busy machine, is begun anew."""
    for attempt in range(1, PANELS + 1):
        with (desktop.home / "panel.log").open("a") as said:
            panel = subprocess.Popen(
                ["xfce4-panel", "--disable-wm-check"], env=desktop.environment(), stdout=said, stderr=said
            )
        with _ended(panel):
            try:
                wait_until(
                    lambda p=panel: p.poll() is not None or desktop.screen().getpixel((400, 16)) != (0, 0, 0),
                    within_s=20,
                )
                assert panel.poll() is None, (desktop.home / "panel.log").read_text()
            except AssertionError:
                if attempt == PANELS:
                    raise
                continue
            yield
            return


@contextmanager
def _panel(desktop: Desktop) -> Iterator[None]:
    with _shown_panel(desktop):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop.variables["DBUS_SESSION_BUS_ADDRESS"])
            wait_until(lambda: host_trouble() is None, within_s=60)
        yield


@contextmanager
def _notifications(address: str, notified: list[tuple[str, str]]) -> Iterator[None]:
    """Be the desktop's service for notifications."""
    ready: queue.Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        bus = await MessageBus(bus_address=address).connect()
        bus.export("/org/freedesktop/Notifications", Notifications(notified))
        await bus.request_name("org.freedesktop.Notifications")
        over = asyncio.Event()
        ready.put((asyncio.get_running_loop(), over))
        await over.wait()
        bus.disconnect()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    loop, over = ready.get(timeout=20)
    yield
    loop.call_soon_threadsafe(over.set)
    thread.join(10)


@pytest.fixture(scope="session")
def gtk(tmp_path_factory) -> str:
    """A folder with Debian's `gi` alone, so that nothing else of the system's Python is found."""
    folder = tmp_path_factory.mktemp("gtk")
    system = Path("/usr/lib/python3/dist-packages/gi")
    assert system.is_dir(), "python3-gi is missing"
    (folder / "gi").symlink_to(system)
    asked = subprocess.run(
        [sys.executable, "-c", "import gi"], env=environment() | {"PYTHONPATH": str(folder)}, check=False
    )
    assert asked.returncode == 0, "Debian's python3-gi is for another version of Python than this one"
    return str(folder)


@pytest.fixture
def paths(gtk: str) -> dict[str, str]:
    """Where Python looks, by adapter: pystray needs GTK, the bus does without."""
    return {"dbus": str(ROOT), "pystray": f"{ROOT}{os.pathsep}{gtk}"}
