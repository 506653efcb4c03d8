"""Which colour a metric's kind has; the names are those of the style sheet's `kind-…` classes and tokens."""

from __future__ import annotations

_KINDS = {
    "activity": "activity",
    "cycling": "activity",
    "running": "activity",
    "swimming": "activity",
    "mobility": "activity",
    "heart": "heart",
    "vitals": "heart",
    "sleep": "sleep",
    "respiratory": "breath",
    "body": "body",
    "mindfulness": "mind",
    "nutrition": "food",
}


def kind_of(category: str) -> str:
    """Return the kind of a catalogue's category; “other” for all without a colour of their own."""
    return _KINDS.get(category, "other")
