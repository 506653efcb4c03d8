from __future__ import annotations

import contextlib
from pathlib import Path

import psutil
import pytest

from tests.fixtures.program import Starter

ENGINES = {"postgres", "initdb", "valkey-server"}


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """A program that all tests of a module talk to, small enough for large uploads to be reached."""
    starter = Starter()
    yield starter(tmp_path_factory.mktemp("serving") / "data", "--max-upload-mb", "1")
    starter.end_all()


def engines_of(data_dir: Path) -> list[psutil.Process]:
    """Return every engine process at work in this data folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() in ENGINES and Path(process.cwd()).is_relative_to(data_dir.resolve()):
                found.append(process)
    return found
