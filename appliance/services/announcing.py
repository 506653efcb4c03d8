"""Being found at home: the service `_hearthbeat._tcp` and a host name of our own by multicast DNS (RFC 6762, 6763).

Multicast DNS never leaves the local network, and we speak it only on adapters that are one: no VPN, no containers.
The name once taken is kept in the data folder, because phones remember it: another Hearthbeat that is away for a
while must not find its name on this one when it comes back, nor this one its own on that.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from appliance.foundation.network import adapters, is_loopback
from appliance.foundation.settings import Settings

if TYPE_CHECKING:
    from zeroconf import Zeroconf

SERVICE = "_hearthbeat._tcp.local."
LOOKED_EVERY_S = 15.0
# Whoever has just answered everybody keeps silent for a second (RFC 6762, section 6).
ANSWERED_WITHIN_MS = 2_000
MOST_NAMES = 99
KEPT = "host-name"
_LABEL = re.compile(r"hearthbeat(-\d{1,2})?")

log = structlog.get_logger("hearthbeat.announcing")


class Announcing:
    """Announces this appliance while it serves, under a name that nobody else here has."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._label: str | None = None

    @property
    def host_name(self) -> str | None:
        """The name phones find us by now, as hearthbeat.local; None while nothing is announced."""
        return f"{self._label}.local" if self._label else None

    def begin(self, port: int) -> None:
        """Announce this port from now on, unless the settings say otherwise; returns at once."""
        if self._settings.announce and not is_loopback(self._settings.host) and self._thread is None:
            self._ending.clear()
            self._thread = threading.Thread(target=self._keep, args=(port,), name="announcing", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Take the name back."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def look_again(self) -> None:
        """Look now whether the addresses changed."""
        self._wake.set()

    def _keep(self, port: int) -> None:
        known: list[str] = []
        voice: Zeroconf | None = None
        while not self._ending.is_set():
            now = _own_addresses()
            if now != known or (now and voice is None):
                self._silence(voice)
                voice = self._speak(now, port) if now else None
                known = now
            self._wake.wait(LOOKED_EVERY_S)
            self._wake.clear()
        self._silence(voice)

    def _speak(self, addresses: list[str], port: int) -> Zeroconf | None:
        from zeroconf import Error, IPVersion, Zeroconf  # noqa: PLC0415  loaded only where something is announced

        voice: Zeroconf | None = None
        try:
            voice = Zeroconf(interfaces=addresses, ip_version=IPVersion.V4Only)
            self._label = self._take_name(voice, addresses, port)
        except (OSError, Error) as error:
            log.warning("not_announced", reason=f"{type(error).__name__}: {error}")
            self._silence(voice)
            return None
        log.info("announced", name=self.host_name, addresses=len(addresses))
        with suppress(OSError):
            (self._folder / KEPT).write_text(f"{self._label}\n", encoding="utf-8")
        return voice

    def _silence(self, voice: Zeroconf | None) -> None:
        self._label = None
        if voice is not None:
            voice.close()

    def _take_name(self, voice: Zeroconf, addresses: Sequence[str], port: int) -> str:
        """Register under the first name that nobody else answers to, beginning with the one we had."""
        from zeroconf import NonUniqueNameException, ServiceInfo  # noqa: PLC0415

        for label in _names(kept_label(self._folder)):
            if _looked_up(voice, label) - set(addresses):
                continue
            info = ServiceInfo(
                SERVICE,
                f"{label}.{SERVICE}",
                parsed_addresses=list(addresses),
                port=port,
                properties={"path": "/"},
                server=f"{label}.local.",
            )
            with suppress(NonUniqueNameException):
                voice.register_service(info)
                return label
        raise OSError("no name is free")


def kept_label(folder: Path) -> str | None:
    """Return the name this data folder took before, without `.local`."""
    try:
        label = (folder / KEPT).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return label if _LABEL.fullmatch(label) else None


def addresses_of(label: str) -> set[str]:
    """Ask the network for a name, without `.local`, and return the addresses it answers with; none when it cannot be asked."""
    from zeroconf import Error, IPVersion, Zeroconf  # noqa: PLC0415

    try:
        with Zeroconf(interfaces=_own_addresses(), ip_version=IPVersion.V4Only) as voice:
            return _looked_up(voice, label)
    except (OSError, Error):
        return set()


def _looked_up(voice: Zeroconf, label: str) -> set[str]:
    from zeroconf import (  # type: ignore[attr-defined]  # noqa: PLC0415  documented, and missing in its list of names
        AddressResolver,
    )

    host = AddressResolver(f"{label}.local.")
    return set(host.parsed_addresses()) if host.request(voice, ANSWERED_WITHIN_MS) else set()


def _names(first: str | None) -> list[str]:
    all_names = ["hearthbeat", *(f"hearthbeat-{number}" for number in range(2, MOST_NAMES + 1))]
    return [first, *(name for name in all_names if name != first)] if first else all_names


def _own_addresses() -> list[str]:
    return [one.address for one in adapters() if one.kind == "network"]
