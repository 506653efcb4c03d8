"""The files of this repository, as its rules look at them."""

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("appliance", "tray", "web")


def files() -> Iterator[Path]:
    """Yield every file that belongs to the repository: all but what `.gitignore` names."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    ignored = [line.strip("/") for line in lines if not line.startswith("#")] + [".git"]
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [
            name for name in subfolders if not any(fnmatch.fnmatch(name, rule) for rule in ignored)
        ]
        for name in names:
            if not any(fnmatch.fnmatch(name, rule) for rule in ignored):
                yield Path(folder, name)


def texts() -> Iterator[tuple[str, str]]:
    """Yield path and content of every file that is text."""
    for path in files():
        try:
            yield relative(path), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def modules() -> list[Path]:
    """Every Python module of the program itself."""
    return sorted(
        path for path in files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES
    )


def relative(path: Path) -> str:
    """Name a file as people write it: from the root, with forward slashes."""
    return path.relative_to(ROOT).as_posix()
