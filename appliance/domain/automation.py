"""Links that make an automation in the phone's app Health Auto Export."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

LINK = "com.HealthExport://automation"
# Version 2 has ids and offsets, Batch Requests keeps one request small, and an automation is made switched off unless
# told otherwise. Two minutes let a large body through a slow Wi-Fi.
_ALWAYS = {
    "format": "json",
    "exportversion": "v2",
    "batchrequests": "true",
    "requesttimeout": "120",
    "enabled": "true",
}


def automation_link(url: str, key: str, name: str, parameters: Mapping[str, str]) -> str:
    """Return the link that makes an automation called `name`, which posts to `url` with this API key.

    The app reads headers as one list with commas between, and knows no way to write a comma inside; a key has none.
    A `+` stays a plus in it, so spaces are written as %20.
    """
    told = {"url": url, "name": name, "headers": f"Authorization,Bearer {key}"} | _ALWAYS | dict(parameters)
    return f"{LINK}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in told.items())


def mending_link(url: str, code: str, parameters: Mapping[str, str] | None) -> str | None:
    """Return the link that makes the corrected automation of a piece of advice; None where none can.

    The key is not ours to put in: it is stored as a hash only.
    """
    if parameters is None:
        return None
    return automation_link(
        url, "PUT-YOUR-KEY-HERE", f"Hearthbeat {code.replace('_', ' ')} mended", parameters
    )
