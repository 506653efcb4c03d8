"""Deliveries on the disk: the bytes of each, and a small file beside them that says what they are.

They lie in the data folder of the server that takes them in, which no other server uses; so what is known of them
lies there too, and not in the database that several servers may share.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

import structlog

from appliance.domain.delivery import Delivery, DeliveryState

_ABOUT, _BYTES, _WORDS = ".json", ".bytes", ".err"
# What the name of a file on the disk ends with, by what its own name ends with: the import goes by it.
ENDINGS = (".zip", ".xml", ".json", ".csv", ".json.gz", ".csv.gz")
# `has_id` keeps an address from leading anywhere else.
_LETTERS = frozenset("0123456789abcdef")

log = structlog.get_logger("hearthbeat.imports")


def ending_of(name: str) -> str | None:
    """Return how the name of a file ends that can be imported, None for any other."""
    return next((ending for ending in reversed(ENDINGS) if name.lower().endswith(ending)), None)


class DeliveryFolder:
    """Keeps deliveries, each person's in a folder of their own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.RLock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have all deliveries to oneself; for moments, not for whole files."""
        with self._lock:
            yield

    def path(self, delivery: Delivery) -> Path:
        """Return where the bytes of a delivery are."""
        ending = ending_of(delivery.name) or _BYTES
        return self._of(delivery.person_id) / f"{delivery.delivery_id}{_BYTES}{ending}"

    def words_path(self, delivery: Delivery) -> Path:
        """Return where the import of a delivery says what went wrong."""
        return self._of(delivery.person_id) / f"{delivery.delivery_id}{_WORDS}"

    def find(self, person_id: int, delivery_id: str) -> Delivery | None:
        """Return a delivery of this person."""
        if not 0 < len(delivery_id) <= 64 or not _LETTERS.issuperset(delivery_id):
            return None
        return self._read(person_id, self._of(person_id) / f"{delivery_id}{_ABOUT}")

    def of_person(self, person_id: int) -> list[Delivery]:
        """Return all deliveries of a person, the oldest first."""
        found = [self._read(person_id, path) for path in self._of(person_id).glob(f"*{_ABOUT}")]
        return sorted((each for each in found if each), key=lambda each: (each.begun_at, each.delivery_id))

    def people(self) -> list[int]:
        """Return who has deliveries here."""
        try:
            return sorted(
                int(each.name) for each in self._root.iterdir() if each.name.isdecimal() and each.is_dir()
            )
        except FileNotFoundError:
            return []

    def write(self, delivery: Delivery) -> Delivery:
        """Write down a delivery, whole or not at all."""
        folder = self._of(delivery.person_id)
        for each in (self._root, folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder / f"{delivery.delivery_id}{_ABOUT}"
        fresh = about.with_suffix(".new")
        told = asdict(delivery) | {
            "begun_at": delivery.begun_at.isoformat(),
            "seen_at": delivery.seen_at.isoformat(),
        }
        fresh.write_text(json.dumps(told), encoding="utf-8")
        fresh.replace(about)
        return delivery

    def append(self, delivery: Delivery, at: int, chunk: bytes) -> None:
        """Write a chunk after the `at` bytes that are there. Raises `OSError`, and then nothing of it is left."""
        descriptor = os.open(self.path(delivery), os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
        try:
            os.lseek(descriptor, at, os.SEEK_SET)
            left = memoryview(chunk)
            try:
                while left:
                    left = left[os.write(descriptor, left) :]
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, at)
                raise
        finally:
            os.close(descriptor)

    def drop_bytes(self, delivery: Delivery) -> None:
        """Remove the bytes of a delivery."""
        for path in (self.path(delivery), self.words_path(delivery)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:  # as on Windows while somebody reads it; upkeep tries again
                log.warning("delivery_not_removed", reason=error.strerror or str(error))

    def remove(self, delivery: Delivery) -> None:
        """Remove a delivery, bytes and all."""
        self.drop_bytes(delivery)
        (self._of(delivery.person_id) / f"{delivery.delivery_id}{_ABOUT}").unlink(missing_ok=True)

    def sweep(self, person_id: int) -> None:
        """Remove what no delivery of a person knows of, and the folder once it is empty."""
        folder = self._of(person_id)
        with self.held():
            known = {each.delivery_id for each in self.of_person(person_id)}
            for path in folder.glob("*"):
                if path.name.partition(".")[0] not in known:
                    with suppress(OSError):
                        path.unlink()
            with suppress(OSError):
                folder.rmdir()  # fails while there is anything in it

    def _read(self, person_id: int, about: Path) -> Delivery | None:
        try:
            told = json.loads(about.read_text(encoding="utf-8"))
            delivery = Delivery(
                **told
                | {
                    "person_id": person_id,
                    "state": DeliveryState(told["state"]),
                    "begun_at": datetime.fromisoformat(told["begun_at"]),
                    "seen_at": datetime.fromisoformat(told["seen_at"]),
                }
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # cut by a power failure
            log.warning("delivery_not_readable")
            return None
        try:
            have = self.path(delivery).stat().st_size
        except OSError:
            have = 0
        return replace(delivery, have=have)

    def _of(self, person_id: int) -> Path:
        return self._root / str(person_id)


_BINARY = getattr(os, "O_BINARY", 0)  # Windows alone tells text from bytes
