"""A whole document, array by array."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from appliance.catalog.load import Catalogue
from appliance.domain.quarantine import Reason
from appliance.domain.text import storable_text
from appliance.domain.upload import Automation
from appliance.intake.document import Document
from appliance.intake.metrics import MetricsReader
from appliance.intake.reading import Reading

NAME_LENGTH = 80


def read_document(document: Document, catalogue: Catalogue, automation: Automation, zone: ZoneInfo) -> Reading:
    """Read every array of the document. Pure; what cannot be read is quarantined, nothing is raised.

    `zone` is the person's and places dates that come without an offset.
    """
    reading = Reading()
    for name, content in document.arrays.items():
        if name == "metrics":
            MetricsReader(reading, catalogue, automation, zone).read(content)
        else:
            _keep_for_later(reading, storable_text(name, NAME_LENGTH), content)
    return reading


def _keep_for_later(reading: Reading, name: str, content: Any) -> None:
    if content is None or content == {}:
        return
    items = content if isinstance(content, list) else [content]
    for position, item in enumerate(items):
        reading.received[name] += 1
        path = f"data.{name}[{position}]" if items is content else f"data.{name}"
        detail = f"“{name}” is kept as it came and will be read by a later version."
        reading.set_aside(name, name, path, Reason.NOT_READ_YET, detail, item)
