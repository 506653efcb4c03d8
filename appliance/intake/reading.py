"""Everything one document says: what can be stored, and what was set aside."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from appliance.domain.quarantine import Quarantined, Reason
from appliance.domain.record import Kind, Record
from appliance.domain.sample import Batch, SeriesKey
from appliance.domain.sleep import Segment, Session
from appliance.domain.text import storable_text
from appliance.domain.upload import Advice

SAMPLES = "samples"


@dataclass(slots=True)
class Reading:
    """What a document says.

    `received` counts the items of each kind; `batches` hold the samples, one batch a series. Every received item
    either stands behind at least one sample, is one record, is in `sleep` (in the order told), or is in
    `quarantined`; never two of these, never none.
    """

    received: Counter[str] = field(default_factory=Counter)
    batches: dict[SeriesKey, Batch] = field(default_factory=dict)
    records: dict[Kind, list[Record]] = field(default_factory=dict)
    sleep: list[Session | Segment] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    advice: dict[str, Advice] = field(default_factory=dict)

    def set_aside(self, kind: str, name: str, path: str, reason: Reason, detail: str, item: Any) -> None:
        """Put one item into quarantine. `detail` may quote what was sent."""
        self.quarantined.append(Quarantined(kind, name, path, reason, storable_text(detail), item))
