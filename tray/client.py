"""Asking a running server over its controls, on this computer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from appliance.foundation.presence import Presence
from tray.standing import Standing, read_standing

ANSWERS_WITHIN_S = 5.0
HEADER = "X-Hearthbeat-Control"
MOST_BYTES = 1_000_000
# Never through a proxy that this computer may be set up with.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoAnswer(Exception):
    """The server did not answer, or not with what was asked for; `str` says why in one sentence."""


class Client:
    """The controls of one server."""

    def __init__(self, presence: Presence, within_s: float = ANSWERS_WITHIN_S) -> None:
        self._presence = presence
        self._within_s = within_s

    def standing(self) -> Standing:
        """Ask how everything is. Raises `NoAnswer`."""
        try:
            return read_standing(self._ask("GET", "control/status"))
        except ValueError as error:
            raise NoAnswer(f"The server answered with something else: {error}") from error

    def login_url(self, page: str) -> str:
        """Return an address that logs in once and goes on to a page: dashboard or pair. Raises `NoAnswer`."""
        path = self._ask("POST", f"control/login-link?page={page}").get("path")
        return f"{self._presence.url}{path}"

    def back_up(self) -> tuple[str, bool]:
        """Begin a backup and return what the server says to that, and whether it still runs. Raises `NoAnswer`."""
        told = self._ask("POST", "control/backup")
        return str(told.get("told")), bool(told.get("running"))

    def stop(self) -> None:
        """Ask the server to end; it has not yet when this returns. Raises `NoAnswer`."""
        self._ask("POST", "control/stop")

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        asked = urllib.request.Request(  # noqa: S310  the address is of our own note, on this computer
            f"{self._presence.url}{path}",
            data=b"" if method == "POST" else None,
            headers={HEADER: self._presence.secret},
            method=method,
        )
        try:
            with _opener.open(asked, timeout=self._within_s) as answer:
                told = json.loads(answer.read(MOST_BYTES))
        except urllib.error.HTTPError as refused:
            with refused:
                raise NoAnswer(_sentence(refused)) from refused
        except (OSError, ValueError) as error:
            raise NoAnswer(f"The server does not answer ({error}).") from error
        if not isinstance(told, dict):
            raise NoAnswer("The server answered with something else.")
        return told


def _sentence(refused: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(refused.read(MOST_BYTES))["detail"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"The server refused with {refused.code}."
