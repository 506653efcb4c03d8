"""Two homes' computers on one wire, in network namespaces: run under `unshare --net`, by the test beside it.

Prints one JSON object: what each was called, and what the other found.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fixtures.program import ROOT
from tests.fixtures.waiting import wait_until

WIRE = "lan0"  # a name as an ordinary adapter's; one like veth0 would be taken for a container's


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def main() -> None:
    folder = Path(sys.argv[1])
    other = subprocess.Popen(["unshare", "--net", "sleep", "300"])
    here = Path("/proc/self/ns/net").readlink()
    wait_until(lambda: Path(f"/proc/{other.pid}/ns/net").readlink() != here)
    try:
        ip("link", "add", WIRE, "type", "veth", "peer", "name", WIRE, "netns", str(other.pid))
        far = ["nsenter", f"--net=/proc/{other.pid}/ns/net"]
        for prefix, address in (([], "10.99.0.1"), (far, "10.99.0.2")):
            for words in (
                f"address add {address}/24 dev {WIRE}",
                f"link set {WIRE} up",
                "link set lo up",
                "route add default via 10.99.0.254",
            ):
                subprocess.run([*prefix, "ip", *words.split()], check=True)
        print(json.dumps(told(folder, far)))
    finally:
        other.kill()
        other.wait()


def told(folder: Path, far: list[str]) -> dict[str, object]:
    with announced(folder / "one", 8710, []) as one, announced(folder / "two", 8711, far) as two:
        names = [one.name, two.name]
        found = {"from one": one.ask("find"), "from two": two.ask("find")}
        asked = [one.ask(f"ask {name}") for name in ("hearthbeat", "hearthbeat-2")]
        subprocess.run([*far, "ip", "address", "del", "10.99.0.2/24", "dev", WIRE], check=True)
        subprocess.run([*far, "ip", "address", "add", "10.99.0.3/24", "dev", WIRE], check=True)
        two.ask("look")
        moved = wait_until(
            lambda: (found := one.ask("find")).get(two.name) == ["10.99.0.3", 8711] and found, within_s=30
        )
    with announced(folder / "two", 8711, far) as alone:  # the other is away, and still has its name
        again = alone.name
    return {"names": names, "found": found, "moved": moved, "again": again, "asked": asked}


@contextmanager
def announced(folder: Path, port: int, prefix: list[str]) -> Iterator[Announcer]:
    """Have `announcer.py` at work for a while."""
    announcer = Announcer(folder, port, prefix)
    try:
        yield announcer
    finally:
        announcer.close()


class Announcer:
    """`announcer.py` at work in one of the networks."""

    def __init__(self, folder: Path, port: int, prefix: list[str]) -> None:
        folder.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.discovery.announcer", str(folder), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.name = json.loads(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def ask(self, word: str) -> dict[str, object]:
        assert self._process.stdin is not None
        print(word, file=self._process.stdin, flush=True)
        return dict(json.loads(self._read()))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


if __name__ == "__main__":
    main()
