"""The path of an item in a document, followed back to the item: `data.metrics[3].data[17]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from appliance.domain.text import storable_text

if TYPE_CHECKING:
    from appliance.intake.document import Document

NAME_LENGTH = 80  # names are cut to this in paths

_ROOT = "data"
_PLACE = re.compile(r"\[(\d{1,9})\]", re.ASCII)


def item_at(document: Document, path: str) -> Any:
    """Return what stands at a path. Raises `LookupError` when there is nothing."""
    here: Any = {_ROOT: document.arrays}
    rest = f".{path}"
    while rest:
        if place := _PLACE.match(rest):
            if not isinstance(here, list):
                raise LookupError(path)
            here, rest = here[int(place[1])], rest[place.end() :]
        elif rest.startswith(".") and isinstance(here, Mapping):
            here, rest = _below(here, rest[1:])
        else:
            raise LookupError(path)
    return here


def _below(here: Mapping[str, Any], rest: str) -> tuple[Any, str]:
    """Return the field that a path goes on with; names come from outside and may hold dots and brackets."""
    if "\ufffd" not in rest and len(rest) < NAME_LENGTH:  # no name in it was changed or cut
        for end in range(len(rest), -1, -1):
            if _ends_a_name(rest, end) and rest[:end] in here:
                return here[rest[:end]], rest[end:]
        raise LookupError(rest)
    for name in sorted(here, key=len, reverse=True):
        told = storable_text(name, NAME_LENGTH)
        if rest.startswith(told) and _ends_a_name(rest, len(told)):
            return here[name], rest[len(told) :]
    raise LookupError(rest)


def _ends_a_name(rest: str, end: int) -> bool:
    return rest[end : end + 1] in {"", ".", "["}
