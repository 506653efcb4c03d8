"""A person's past into a running `hearthbeat serve`: how long `hearthbeat import` takes from the first byte to the last
commit with the days resolved, what memory it and the engines take, and how the server answers meanwhile.

The archive is one of the demo's made-up life, or a file that is named. It is imported, given again, and taken back.
Beside the times stands how long the bare XML parser of Python takes over the same file, which says how fast the machine
is today.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from xml.parsers import expat
from zoneinfo import ZoneInfo

import psutil

from appliance.demo.archive import write_archive
from appliance.demo.history import History
from tests.bench.watching import Watch, proportional_mib
from tests.fixtures.http import RealPhone
from tests.fixtures.program import Program, Starter, environment, hearthbeat, new_key

YEARS = 2
ZONE = ZoneInfo("Europe/Berlin")
LOOK_EVERY_S = 0.2


def run(archive: Path | None = None) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="hb-bench-") as folder:
        if archive is None:
            archive = Path(folder) / "export.zip"
            until = datetime(2026, 10, 1, 12, tzinfo=UTC)
            history = History(until=until, zone=ZONE, days=0, past=YEARS * 365, seed=1)
            write_archive(archive, history)
        print(f"{archive.stat().st_size / 1e6:,.0f} MB; Python's bare XML parser: {_parsing(archive):.1f} s")
        start = Starter()
        try:
            _measure(start(Path(folder) / "data", "--log-level", "warning"), archive)
        finally:
            start.end_all()


def _parsing(archive: Path) -> float:
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda _name, _attributes: None
    with zipfile.ZipFile(archive) as packed:
        main = max(
            (info for info in packed.infolist() if info.filename.endswith(".xml")), key=lambda i: i.file_size
        )
        begun = time.process_time()
        with packed.open(main) as content:
            parser.ParseFile(content)
    return time.process_time() - begun


def _measure(program: Program, archive: Path) -> None:
    key = new_key(program.data_dir, person="Maya")
    watch = Watch(program)
    before = watch.look()
    print(
        f"{'':<10}{'wall s':>8}{'CPU s':>8}{'import MiB':>12}{'engines +MiB':>14}{'answers p50':>13}{'p95 ms':>8}"
    )
    for name in ("new", "again"):
        seen = _Import(program, RealPhone(program.url, key), archive)
        wall, engines = seen.run(watch)
        times = sorted(seen.answers) or [0.0]
        print(
            f"{name:<10}{wall:8.1f}{seen.cpu:8.1f}{seen.peak_mib:12.0f}{engines - before.postgres_mib:14.0f}"
            f"{statistics.median(times):13.0f}{times[int(len(times) * 0.95)]:8.0f}"
        )
    print(hearthbeat("import", "--list", data_dir=program.data_dir).stdout)
    begun = time.perf_counter()
    hearthbeat("import", "--undo", "1", "--yes", data_dir=program.data_dir)
    print(f"taken back in {time.perf_counter() - begun:.1f} s")
    watch.close()


class _Import:
    """One run of the command, watched: its processes' memory and processor time, and the server's answers meanwhile."""

    def __init__(self, program: Program, phone: RealPhone, archive: Path) -> None:
        self._program = program
        self._phone = phone
        self._archive = archive
        self.cpu = 0.0
        self.peak_mib = 0.0
        self.answers: list[float] = []

    def run(self, watch: Watch) -> tuple[float, float]:
        """Import, and return the seconds it took and the most memory that Postgres had, in MiB."""
        words = ["import", str(self._archive), "--data-dir", str(self._program.data_dir)]
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "appliance", *words], stdout=subprocess.DEVNULL, env=environment()
        )
        over = threading.Event()
        asking = threading.Thread(target=self._ask, args=(over,))
        asking.start()
        engines = 0.0
        family = psutil.Process(process.pid)
        while process.poll() is None:
            self._look(family)
            engines = max(engines, watch.look().postgres_mib)
            time.sleep(LOOK_EVERY_S)
        wall = time.perf_counter() - begun
        over.set()
        asking.join()
        if process.returncode:
            sys.exit("The import failed.")
        return wall, engines

    def _ask(self, over: threading.Event) -> None:
        while not over.wait(LOOK_EVERY_S):
            begun = time.perf_counter()
            self._phone.get("/api/v1/metrics")
            self.answers.append((time.perf_counter() - begun) * 1000)

    def _look(self, family: psutil.Process) -> None:
        memory = cpu = 0.0
        try:
            for process in (family, *family.children(recursive=True)):
                memory += proportional_mib(process)
                cpu += sum(process.cpu_times()[:2])
        except psutil.Error:
            return  # one has just ended
        self.peak_mib = max(self.peak_mib, memory)
        self.cpu = max(self.cpu, cpu)
