"""Shows the view named on standard input with one adapter and tells what was wanted: `showing.py ADAPTER`."""

from __future__ import annotations

import sys
import threading

from tests.tray.views import VIEWS
from tray.adapters.choice import choose
from tray.notifications import Message
from tray.state import Kind


def main() -> None:
    adapter = choose(sys.argv[1])
    print(adapter.name, adapter.reason, flush=True)
    adapter.begin(VIEWS[Kind.FRESH], lambda action: print("wanted", action.value, flush=True))

    def listen() -> None:
        for line in sys.stdin:
            if line.startswith("say "):
                adapter.notify(Message(*line[4:].strip().split("|")))
            else:
                adapter.show(VIEWS[Kind(line.strip())])
        adapter.close()

    threading.Thread(target=listen, daemon=True).start()
    adapter.run()
    print("closed", flush=True)


if __name__ == "__main__":
    main()
