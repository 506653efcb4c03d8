"""A small program that keeps engines running until it is killed. Arguments: folder, and `no-death-signal`."""

import json
import sys
import threading
from pathlib import Path

import structlog

from appliance.engines import processes
from appliance.engines.keeper import Keeper
from appliance.engines.postgres import EmbeddedPostgres
from appliance.engines.valkey import EmbeddedValkey


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if "no-death-signal" in sys.argv:
        processes._die_with_parent = lambda _signal: None  # as on a system without it
    engines = [EmbeddedPostgres(Path(sys.argv[1])), EmbeddedValkey(Path(sys.argv[1]))]
    Keeper(engines).start()
    print(json.dumps({engine.name: engine.process.pid for engine in engines}), flush=True)  # noqa: T201
    threading.Event().wait()


if __name__ == "__main__":
    main()
