"""Room on the disk: uploads are refused while some is left, because Postgres stops hard when none is."""

from __future__ import annotations

from appliance.domain.job import JobResult, Outcome
from appliance.foundation.ballast import MIB, Ballast, free_bytes
from appliance.foundation.errors import StorageFull
from appliance.foundation.settings import Settings
from appliance.foundation.telemetry import Telemetry

# What a body takes of the disk, per byte of it: its kept bytes, its rows with their index, and all that once more in
# Postgres' log until the next checkpoint. Measured with 50,000 new samples: 2.1 and 2.3; the rest is for revisions.
AMPLIFICATION = 6
UNPACKED = 20  # how much larger a packed body may be than what is sent; the phone's JSON packs to a tenth


class Space:
    """Watches the disk that holds the data folder. With a database elsewhere, that one's disk is not ours to watch."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._ballast = Ballast(settings.data_dir, settings.ballast_mb)
        self._reserve = settings.disk_reserve_mb * MIB
        self._largest_body = settings.max_upload_bytes
        self._holds_database = not settings.database_url.get_secret_value()
        self._telemetry = telemetry

    def refuse_unless_room(self, size_bytes: int = 0, *, packed: bool = False) -> None:
        """Raise `StorageFull` unless a body of this size can be kept and understood with the reserve untouched.

        Looks at the disk each time; that takes microseconds.
        """
        if not self._holds_database:
            return
        free = self._look()
        if free < self._reserve:
            raise StorageFull(self._too_little(free))
        body = min(size_bytes * UNPACKED, self._largest_body) if packed else size_bytes
        if free - body * AMPLIFICATION < self._reserve:
            raise StorageFull(
                f"This upload needs up to {_mib(body * AMPLIFICATION)} on Hearthbeat's disk, of which {_mib(free)} are free"
                f" and {_mib(self._reserve)} kept in reserve; free some space, or turn on Batch Requests in the automation."
            )

    def refuse_unless_room_for_file(self, size_bytes: int) -> None:
        """Raise `StorageFull` unless a file of this size fits beside the data with the reserve untouched."""
        free = self._look()
        if free - size_bytes < self._reserve:
            raise StorageFull(
                f"The file needs {_mib(size_bytes)} more on Hearthbeat's disk, of which {_mib(free)} are free and"
                f" {_mib(self._reserve)} kept in reserve; free some space, then go on."
            )

    @property
    def trouble(self) -> str | None:
        """Why no upload is taken now, or None."""
        free = self._look()
        return self._too_little(free) if free < self._reserve else None

    @property
    def state(self) -> str:
        """How it is, in the words of `services.health`."""
        if (trouble := self.trouble) is None:
            return "ok"
        return f"away: {trouble}" if self._holds_database else f"degraded: {trouble}"

    def check(self) -> JobResult:
        """Look at the disk, and set the ballast aside (again) when there is plenty."""
        free = self._look()
        ballast = self._ballast
        if self._holds_database and (
            not ballast.size_bytes or ballast.held or free >= self._reserve + 2 * ballast.size_bytes
        ):
            ballast.lay_down()
            free = self._look()
        told = {"free_bytes": free, "reserve_bytes": self._reserve, "ballast_held": ballast.held}
        if free < self._reserve:
            return JobResult(self._too_little(free), told, Outcome.FOUND)
        return JobResult(f"{_mib(free)} are free.", told)

    def _look(self) -> int:
        free = free_bytes(self._ballast.folder)
        self._telemetry.free_bytes.set(free)
        return free

    def _too_little(self, free: int) -> str:
        return (
            f"{_mib(free)} are free on Hearthbeat's disk and {_mib(self._reserve)} are kept in reserve, so uploads have"
            " to wait; free some space, and they go on by themselves."
        )


def _mib(size_bytes: int) -> str:
    return f"{max(0, size_bytes) // MIB:,} MiB"
