"""One frozen type for a row of each catalogue file, and the error of a row that is wrong.

The columns are described in `data/README.md`. Imports foundation and the names of this package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from appliance.catalog.names import fold_name, fold_unit
from appliance.foundation.errors import HearthbeatError

Kind = Literal["cumulative", "discrete"]
Aggregate = Literal["sum", "avg", "last", "max"]
HigherIs = Literal["better", "worse", ""]
LocationHint = Literal["indoor", "outdoor", "either"]
HasDistance = Literal["yes", "no", "sometimes"]


class CatalogueError(HearthbeatError):
    """A catalogue file is wrong; names the file, the line and the column."""

    code = "catalogue_error"
    title = "The metric catalogue is not valid"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A linear way from one unit to another: `canonical = sent * factor + offset`."""

    factor: float
    offset: float

    def apply(self, sent: float) -> float:
        """Return the value in the canonical unit for a value in the sent unit."""
        return sent * self.factor + self.offset

    def undo(self, canonical: float) -> float:
        """Return the value in the sent unit for a value in the canonical unit."""
        return (canonical - self.offset) / self.factor


SAME = Conversion(1.0, 0.0)


class Conversions(Mapping[str, Conversion]):
    """Every unit spelling that leads to one canonical unit, the canonical one included."""

    __slots__ = ("_caseless", "_exact", "_folded")

    def __init__(self, exact: Mapping[str, Conversion], case_matters: frozenset[str] = frozenset()) -> None:
        """Index `exact`; spellings whose casefolded form is in `case_matters` are never matched caselessly.

        Raises `ValueError` when two spellings that differ only in look-alike characters disagree.
        """
        self._exact = dict(exact)
        self._folded: dict[str, Conversion] = {}
        self._caseless: dict[str, Conversion] = {}
        for unit, conversion in exact.items():
            folded = fold_unit(unit)
            if self._folded.setdefault(folded, conversion) != conversion:
                raise ValueError(f"“{unit}” is converted in two ways")
            caseless = folded.casefold()
            if caseless not in case_matters:
                self._caseless[caseless] = conversion

    def __getitem__(self, unit: str) -> Conversion:
        return self._exact[unit]

    def __iter__(self) -> Iterator[str]:
        return iter(self._exact)

    def __len__(self) -> int:
        return len(self._exact)

    def find(self, unit: str) -> Conversion | None:
        """Return the conversion of a unit as it was sent, or None when it is not surely known.

        Exactly as listed first, then without differences in spaces and look-alike characters, then without
        differences in case unless case carries meaning for that spelling (Cal and cal, S and s).
        """
        found = self._exact.get(unit)
        if found is None:
            folded = fold_unit(unit)
            found = self._folded.get(folded) or self._caseless.get(folded.casefold())
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A quantity: what it is called, how a day of it is formed, and what values are possible.

    `unit` is the canonical unit values are kept in; `plausible_min` and `plausible_max` are in that unit.
    Rows of one catalogue are compared by identity, which makes them cheap dictionary keys.
    """

    key: str
    display_name: str
    category: str
    unit: str
    kind: Kind
    aggregate: Aggregate
    decimals: int
    plausible_min: float
    plausible_max: float
    higher_is: HigherIs
    hk_identifier: str | None
    hae_name: str | None
    aliases: tuple[str, ...]
    accepted_units: tuple[str, ...]
    xml_scale: int | None
    hk_aggregation: str
    ios: str
    notes: str
    conversions: Conversions

    @property
    def cumulative(self) -> bool:
        """Whether samples are amounts that add up, rather than readings."""
        return self.kind == "cumulative"

    def conversion(self, unit: str) -> Conversion | None:
        """Return how a value sent in `unit` becomes canonical, or None when the unit is unknown here."""
        return self.conversions.find(unit)


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A kind of event with a value out of a list (a sleep stage, a symptom's severity).

    `values` maps HealthKit's raw number to its label; `hae_values` and `value_aliases` hold other labels
    of a raw number.
    """

    key: str
    display_name: str
    category: str
    values: Mapping[int, str]
    hae_values: tuple[tuple[int, str], ...]
    value_prefix: str
    value_aliases: tuple[tuple[int, str], ...]
    hk_identifier: str
    aliases: tuple[str, ...]
    hae_section: str
    ios: str
    notes: str
    raw_by_label: Mapping[str, int]

    def raw_value(self, label: str) -> int | None:
        """Return HealthKit's raw number for a label as Apple's export or the phone app spells it, or None.

        Takes `Mild`, `In Bed`, `HKCategoryValueSeverityMild` and the raw number as text.
        """
        return self.raw_by_label.get(fold_name(label))


@dataclass(frozen=True, slots=True, eq=False)
class WorkoutType:
    """A kind of workout. `distance_metric` is the key of the metric that its distance belongs to."""

    key: str
    display_name: str
    raw_value: int
    enum_name: str
    hk_identifier: str
    hae_names: tuple[str, ...]
    aliases: tuple[str, ...]
    location_hint: LocationHint
    has_distance: HasDistance
    distance_metric: str | None
    notes: str


@dataclass(frozen=True, slots=True)
class CompoundField:
    """One field of a point that carries several values, and the metric that field belongs to."""

    hae_name: str
    field: str
    key: str
    unit: str
    notes: str


@dataclass(frozen=True, slots=True)
class StandardField:
    """One field of a record of the typed "standard" JSON; without `key` it belongs to no metric."""

    record_type: str
    field: str
    key: str | None
    unit: str
    notes: str

    @property
    def is_boolean(self) -> bool:
        """Whether it is a yes or no that counts as 1 or 0; the notes say so."""
        return self.notes.startswith("boolean")
