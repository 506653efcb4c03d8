"""What a record says of itself beside its value: free names, free values, and a few that mean something to us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.domain.text import storable_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appliance.intake.apple.elements import Node

TIME_ZONE = "HKTimeZone"
MOST_ENTRIES = 40
LONGEST = 500

# The keeping of books between devices and apps; it changes when a device is restored and says nothing of the person.
_BOOKKEEPING = frozenset(
    (
        *(
            "HKMetadataKeySyncIdentifier",
            "HKMetadataKeySyncVersion",
            "HKExternalUUID",
            "HKMetadataKeyExternalUUID",
        ),
        *("HKAlgorithmVersion", "HKMetadataKeyAlgorithmVersion"),
    )
)
# Said of nearly every record, and meaning that nothing is known or out of the ordinary.
_SAYS_NOTHING = {("HKMetadataKeyHeartRateMotionContext", "0"), ("HKWasUserEntered", "0")}


def metadata_of(entries: Iterable[Node]) -> tuple[dict[str, str], str | None]:
    """Return what `MetadataEntry` elements tell, without bookkeeping, and the time zone they name. The first telling counts."""
    found: dict[str, str] = {}
    zone = None
    for entry in entries:
        key, value = entry.attributes.get("key", ""), entry.attributes.get("value", "")
        if key == TIME_ZONE:
            zone = zone or value
        elif (
            key
            and key not in _BOOKKEEPING
            and (key, value) not in _SAYS_NOTHING
            and len(found) < MOST_ENTRIES
        ):
            found.setdefault(storable_text(key, LONGEST), storable_text(value, LONGEST))
    return found, zone
