"""A test that nobody runs is worse than none: every file is collected, every folder has a place, no skip passes CI."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.rules.repository import PACKAGES, ROOT, files, relative

HERE = Path(__file__)
DECIDES_WHAT_RUNS = {
    *("python_files", "python_functions", "norecursedirs", "collect_ignore", "collect_ignore_glob"),
    *("pytest_ignore_collect", "pytest_collect_file", "__test__", "deselect"),
}
SKIPS = {
    "marker": "import pytest\n@pytest.mark.skip(reason='no')\ndef test_it(): pass\n",
    "call": "import pytest\ndef test_it(): pytest.skip('no')\n",
    "module": "import pytest\npytest.skip('no', allow_module_level=True)\n",
    "fixture": "import pytest\n@pytest.fixture\ndef part(): pytest.skip('no')\ndef test_it(part): pass\n",
}


def files_with_tests():
    for path in files():
        if path.suffix == ".py" and relative(path).startswith("tests/"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if any(
                isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree)
            ):
                yield relative(path)


def run_pytest(*words, cwd=ROOT, **environment):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def run_pytest_in(folder, **environment):
    words = (
        "-p",
        "tests.no_skips",
        "--continue-on-collection-errors",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        str(folder),
    )
    return run_pytest(*words, cwd=folder, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", **environment)


def test_every_file_with_a_test_is_collected():
    # By its name, as pytest finds files where nothing is set otherwise; and nothing is.
    names = {path.rpartition("/")[2] for path in files_with_tests()}
    assert [name for name in sorted(names) if not re.fullmatch(r"test_\w+\.py", name)] == []
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    assert settings["ini_options"].keys().isdisjoint(DECIDES_WHAT_RUNS)
    assert [
        relative(path)
        for path in files()
        if relative(path).startswith("tests/")
        and path.suffix == ".py"
        and path != HERE
        and DECIDES_WHAT_RUNS & set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    ] == []


def test_every_folder_mirrors_a_part_or_is_a_suite_of_its_own():
    suites = set(
        re.findall(r"`tests/([a-z_]+)/`", (ROOT / "docs" / "testing.md").read_text(encoding="utf-8"))
    )
    parts = {path.name for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_dir()}
    paths = [relative(path) for path in files()]
    folders = {path.split("/")[1] for path in paths if re.match("tests/.+/", path)}
    assert folders - suites - parts == set()
    assert suites - folders == set(), "docs/testing.md names folders that are not there"


def test_a_skip_fails_in_ci_and_only_there(tmp_path):
    for kind, source in SKIPS.items():
        (tmp_path / f"test_{kind}.py").write_text(source)
    in_ci = run_pytest_in(tmp_path, CI="true").stdout
    assert [
        kind for kind in SKIPS if not re.search(rf"^(FAILED|ERROR) \S*test_{kind}.py", in_ci, re.MULTILINE)
    ] == []
    assert run_pytest_in(tmp_path, CI="").returncode == pytest.ExitCode.OK


def test_an_expected_failure_is_no_skip(tmp_path):
    (tmp_path / "test_known.py").write_text(
        "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"
    )
    assert run_pytest_in(tmp_path, CI="true").returncode == pytest.ExitCode.OK


def test_a_run_without_tests_fails(tmp_path):
    assert run_pytest_in(tmp_path, CI="true").returncode == pytest.ExitCode.NO_TESTS_COLLECTED
