"""What is written so that login starts us. The files of macOS and the registry of Windows are tested as far as they can be
elsewhere: by what would be written."""

from __future__ import annotations

import json
import plistlib
import shlex
import subprocess
import sys

import pytest

from tests.fixtures.program import ROOT, environment
from tray.autostart import command_for, is_stale, launchd, registry, systemd, ways, xdg

AWKWARD = [sys.executable, "-m", "appliance", "tray", "--data-dir", '/srv/50% of "Anna\'s" $HOME `x` \\ ä']


def hearthbeat(home, *words, **variables):
    return subprocess.run(
        [sys.executable, "-m", "appliance", "autostart", *words],
        env=environment() | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")} | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_desktop_entry_is_valid_and_reads_back(tmp_path):
    entry = xdg.DesktopEntry(tmp_path)
    assert entry.command() is None
    entry.turn_on(AWKWARD)
    told = subprocess.run(["desktop-file-validate", entry.file], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (0, "")
    assert entry.command() == AWKWARD
    entry.turn_off()
    entry.turn_off()
    assert entry.command() is None


def test_the_desktop_reads_the_command_as_it_is_meant(gtk, tmp_path):
    entry = xdg.DesktopEntry(tmp_path)
    entry.turn_on(["/bin/sh", "-c", 'printf %s "$1" > "$2"', "sh", AWKWARD[-1], str(tmp_path / "told")])
    launch = (
        "import sys; from gi.repository import Gio, GLib; app = Gio.DesktopAppInfo.new_from_filename(sys.argv[1]);"
        " loop = GLib.MainLoop(); app.launch_uris_as_manager([], None, GLib.SpawnFlags.DO_NOT_REAP_CHILD, None, None,"
        " lambda app, pid, _: GLib.child_watch_add(0, pid, lambda *_: loop.quit()), None); loop.run()"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", launch, str(entry.file)],
        env=environment() | {"PYTHONPATH": gtk},
        check=True,
        timeout=30,
    )
    assert (tmp_path / "told").read_text() == AWKWARD[-1]


def test_the_systemd_unit_is_valid_and_reads_back(tmp_path):
    unit = systemd.UserUnit(tmp_path)
    assert unit.command() is None
    unit.turn_on(AWKWARD)
    told = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", unit.file],
        env=environment() | {"XDG_RUNTIME_DIR": str(tmp_path), "SYSTEMD_LOG_LEVEL": "warning"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert unit.link.resolve() == unit.file
    assert unit.command() == AWKWARD
    unit.turn_on(["/bin/true"])
    assert unit.command() == ["/bin/true"]
    unit.link.unlink()
    assert unit.command() is None, "a unit that is not enabled starts nothing"
    unit.turn_off()
    assert not unit.file.exists()


def test_the_agent_of_macos_says_what_launchd_asks(tmp_path):
    agent = launchd.LaunchAgent(tmp_path)
    agent.turn_on(AWKWARD)
    told = plistlib.loads((tmp_path / "local.hearthbeat.tray.plist").read_bytes())
    assert told["ProgramArguments"] == AWKWARD
    assert told["Label"] == "local.hearthbeat.tray"
    assert told["RunAtLoad"] is told["AbandonProcessGroup"] is True
    assert agent.command() == AWKWARD
    agent.file.write_text("no list")
    assert agent.command() is None
    agent.turn_off()
    assert not agent.file.exists()


class Winreg:
    """The registry as Python's module of that name shows it, in memory."""

    HKEY_CURRENT_USER, KEY_SET_VALUE, REG_SZ = "HKCU", 2, 1

    def __init__(self):
        self.keys = {}

    class Key:
        def __init__(self, values):
            self.values = values

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    def OpenKey(self, root, path, _reserved=0, _access=0):  # noqa: N802
        if (root, path) not in self.keys:
            raise FileNotFoundError
        return self.Key(self.keys[root, path])

    def CreateKey(self, root, path):  # noqa: N802
        return self.Key(self.keys.setdefault((root, path), {}))

    def SetValueEx(self, key, name, _reserved, kind, value):  # noqa: N802
        key.values[name] = (value, kind)

    def QueryValueEx(self, key, name):  # noqa: N802
        if name not in key.values:
            raise FileNotFoundError
        return key.values[name]

    def DeleteValue(self, key, name):  # noqa: N802
        if key.values.pop(name, None) is None:
            raise FileNotFoundError


def test_the_run_key_of_windows_holds_one_command_line():
    winreg = Winreg()
    key = registry.RunKey(winreg)
    assert key.command() is None
    key.turn_off()
    key.turn_on([r"C:\Program Files\Python\pythonw.exe", "-m", "appliance", "tray"])
    line = r'"C:\Program Files\Python\pythonw.exe" -m appliance tray'
    path = r"Software\Microsoft\Windows\CurrentVersion\Run"
    assert winreg.keys == {("HKCU", path): {"Hearthbeat": (line, 1)}}
    assert key.command() == [line]
    key.turn_off()
    key.turn_off()
    assert key.command() is None
    with pytest.raises(OSError, match="260 characters"):
        key.turn_on(["x" * 300])


def test_each_system_has_its_own_way(tmp_path):
    assert isinstance(ways("win32", {}, tmp_path)["tray"], registry.RunKey)
    assert (
        ways("darwin", {}, tmp_path)["tray"].file
        == tmp_path / "Library/LaunchAgents/local.hearthbeat.tray.plist"
    )
    linux = ways("linux", {}, tmp_path)
    assert linux["tray"].file == tmp_path / ".config/autostart/hearthbeat-tray.desktop"
    assert linux["server"].file == tmp_path / ".config/systemd/user/hearthbeat.service"
    elsewhere = ways("linux", {"XDG_CONFIG_HOME": "/elsewhere"}, tmp_path)
    assert str(elsewhere["tray"].file).startswith("/elsewhere/autostart/")


def test_a_command_whose_program_is_gone_is_stale():
    assert not is_stale([sys.executable, "-m", "appliance"])
    assert is_stale(["/no/such/python", "-m", "appliance"])
    assert is_stale(['"/no/such python" -m appliance'])
    assert not is_stale([f'"{sys.executable}" -m appliance'])
    assert not is_stale([f"{sys.executable} -m appliance"])


def test_the_command_switches_shows_and_never_leaves_two_that_fight(tmp_path):
    data = tmp_path / "data"
    desktop = {"XDG_CURRENT_DESKTOP": "XFCE"}
    bare = dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY", "XDG_CURRENT_DESKTOP"), "")
    entry = tmp_path / "config/autostart/hearthbeat-tray.desktop"
    unit = tmp_path / "config/systemd/user/hearthbeat.service"

    assert hearthbeat(tmp_path, "on", "--data-dir", data, **desktop).returncode == 0
    assert (entry.exists(), unit.exists()) == (True, False)
    assert f"Exec={shlex.join(command_for('tray', data))}" in entry.read_text()
    assert "linger" in hearthbeat(tmp_path, "on", "--data-dir", data, **bare).stdout
    assert (entry.exists(), unit.exists()) == (False, True)
    told = json.loads(hearthbeat(tmp_path, "status", "--json").stdout)
    assert told == {"on": {"server": command_for("server", data)}, "stale": []}

    unit.write_text(unit.read_text().replace(sys.executable, "/moved/python"))
    stale = hearthbeat(tmp_path, "status")
    assert (stale.returncode, "not there any more" in stale.stdout) == (1, True)
    assert hearthbeat(tmp_path, "off").returncode == 0
    assert not unit.exists()
