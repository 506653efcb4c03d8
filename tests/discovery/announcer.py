"""Announces an appliance that is not there, and tells what else it finds: `announcer.py FOLDER PORT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

from appliance.foundation.log import configure_logging
from appliance.foundation.settings import Settings
from appliance.services.announcing import SERVICE, Announcing, addresses_of
from tests.fixtures.waiting import wait_until


class Finds(ServiceListener):
    """Collects names."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def add_service(self, _zeroconf: Zeroconf, _kind: str, name: str) -> None:
        self.names.add(name)

    update_service = add_service

    def remove_service(self, _zeroconf: Zeroconf, _kind: str, name: str) -> None:
        self.names.discard(name)


def find() -> dict[str, object]:
    """Return the address and port of everybody who is announced here."""
    listening = Zeroconf()
    finds = Finds()
    ServiceBrowser(listening, SERVICE, finds)
    try:
        wait_until(lambda: len(finds.names) == 2, within_s=30)
        told = {}
        for name in tuple(finds.names):  # it goes on listening meanwhile
            info = listening.get_service_info(SERVICE, name, timeout=10_000)
            if info is not None:
                told[str(info.server).rstrip(".")] = [info.parsed_addresses()[0], info.port]
        return told
    finally:
        listening.close()


def main() -> None:
    configure_logging("warning", None)
    announcing = Announcing(Settings(data_dir=Path(sys.argv[1])))
    announcing.begin(int(sys.argv[2]))
    print(json.dumps(wait_until(lambda: announcing.host_name, within_s=30)), flush=True)
    for line in sys.stdin:
        if line.strip() == "look":
            announcing.look_again()
            print("{}", flush=True)
        elif line.startswith("ask "):
            print(json.dumps({"addresses": sorted(addresses_of(line[4:].strip()))}), flush=True)
        else:
            print(json.dumps(find()), flush=True)
    announcing.end()


if __name__ == "__main__":
    main()
