"""Run the benchmarks named on the command line, or all that take less than minutes."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.bench import history, intake, load, pages, soak

ALL = {"history": history.run, "intake": intake.run, "load": load.run, "pages": pages.run, "soak": soak.run}
BY_NAME_ONLY = {"pages", "soak"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="run.py bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(ALL)}")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long soak goes on; 10 unless told")
    parser.add_argument(
        "--archive", type=Path, help="the export that history imports; one of its own unless told"
    )
    words = parser.parse_args()
    if unknown := set(words.names) - set(ALL):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(ALL)}")
    for name in words.names or [name for name in ALL if name not in BY_NAME_ONLY]:
        if name == "soak":
            soak.run(words.minutes)
        elif name == "history":
            history.run(words.archive)
        else:
            ALL[name]()


if __name__ == "__main__":
    main()
