"""The conversions of `units.csv`, general ones and those that hold for one metric only. Imports foundation."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

from appliance.catalog.names import fold_unit
from appliance.catalog.rows import SAME, Conversion, Conversions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from appliance.catalog.table import Row

COLUMNS = ("from_unit", "to_unit", "factor", "offset", "scope", "notes")

Key = tuple[str, str, str]  # from unit, to unit, metric key or "" for any metric


class UnitTable:
    """Direct conversions between units. Nothing is chained: a way that is not listed does not exist."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Read the rows of `units.csv`. Raises `CatalogueError` for a factor of 0 or a repeated row."""
        self._direct: dict[Key, Conversion] = {}
        self._rows: dict[Key, Row] = {}
        for row in rows:
            key = row.text("from_unit"), row.text("to_unit"), row.optional("scope")
            conversion = Conversion(row.number("factor"), row.number("offset"))
            if conversion.factor == 0:
                raise row.wrong("factor", "a factor of 0 would make every value the same")
            if key in self._direct:
                raise row.wrong("from_unit", f"this conversion is already on line {self._rows[key].line}")
            self._direct[key] = conversion
            self._rows[key] = row

    def direct(self, unit: str, canonical: str, scope: str) -> Conversion | None:
        """Return the listed conversion for a metric key as `scope`; its own one wins over the general one."""
        if unit == canonical:
            return SAME
        return self._direct.get((unit, canonical, scope)) or self._direct.get((unit, canonical, ""))

    def scopes_of(self, unit: str, canonical: str) -> list[str]:
        """Return the metric keys for which alone `unit` becomes `canonical`."""
        return sorted(scope for sent, to, scope in self._direct if (sent, to) == (unit, canonical) and scope)

    def check_scopes(self, units_of_metrics: Mapping[str, tuple[str, ...]]) -> None:
        """Raise `CatalogueError` unless every scope is a metric that uses both units of its row."""
        for (sent, to, scope), row in self._rows.items():
            if not scope:
                continue
            used = units_of_metrics.get(scope)
            if used is None:
                raise row.wrong("scope", f"there is no metric “{scope}”")
            if used[0] != to:
                raise row.wrong("to_unit", f"the metric “{scope}” is kept in “{used[0]}”, not in “{to}”")
            if sent not in used:
                raise row.wrong("from_unit", f"the metric “{scope}” does not accept “{sent}”")

    @cached_property
    def case_matters(self) -> frozenset[str]:
        """Casefolded spellings under which two known units mean different things, such as “cal” and “ms”."""
        meanings: dict[str, dict[tuple[str, str], Conversion]] = defaultdict(dict)
        for (sent, to, scope), conversion in self._direct.items():
            meanings[fold_unit(sent)][fold_unit(to), scope] = conversion
            meanings[fold_unit(sent)][fold_unit(sent), ""] = SAME
            meanings[fold_unit(to)][fold_unit(to), ""] = SAME
        spellings: dict[str, list[str]] = defaultdict(list)
        for unit in meanings:
            spellings[unit.casefold()].append(unit)
        return frozenset(
            caseless
            for caseless, units in spellings.items()
            if any(not _agree(meanings[one], meanings[other]) for one, other in combinations(units, 2))
        )

    @cached_property
    def general(self) -> Mapping[str, Conversions]:
        """The conversions that hold for any metric, by canonical unit."""
        by_unit: dict[str, dict[str, Conversion]] = {}
        for (sent, to, scope), conversion in self._direct.items():
            if not scope:
                by_unit.setdefault(to, {to: SAME})[sent] = conversion
        return {unit: Conversions(exact, self.case_matters) for unit, exact in by_unit.items()}


def _agree(one: Mapping[tuple[str, str], Conversion], other: Mapping[tuple[str, str], Conversion]) -> bool:
    shared = one.keys() & other.keys()
    return bool(shared) and all(one[target] == other[target] for target in shared)
