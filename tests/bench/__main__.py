"""Run the benchmarks named on the command line, or all of them."""

from __future__ import annotations

import sys

from tests.bench import intake

ALL = {"intake": intake.run}


def main() -> None:
    names = sys.argv[1:] or list(ALL)
    if unknown := set(names) - set(ALL):
        sys.exit(f"There is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(ALL)}.")
    for name in names:
        ALL[name]()


if __name__ == "__main__":
    main()
