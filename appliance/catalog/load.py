"""The catalogue: read once from `data/*.csv`, checked whole, then looked up by any known name.

Imports foundation and the rest of this package. Every refusal is a `CatalogueError` that names file, line and
column; a catalogue that loads has no gap that could make a reader guess.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar, get_args

from appliance.catalog.names import fold_name, fold_unit
from appliance.catalog.rows import (
    SAME,
    Aggregate,
    CatalogueError,
    Category,
    CompoundField,
    Conversion,
    Conversions,
    HasDistance,
    HigherIs,
    Kind,
    LocationHint,
    Metric,
    StandardField,
    WorkoutType,
)
from appliance.catalog.table import Row, read_rows
from appliance.catalog.units import COLUMNS as UNIT_COLUMNS
from appliance.catalog.units import UnitTable
from appliance.catalog.words import COLUMNS as WORD_COLUMNS
from appliance.catalog.words import WordTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from importlib.resources.abc import Traversable

__all__ = ["Catalogue", "CatalogueError", "load_catalogue", "read_catalogue"]

METRIC_COLUMNS = (
    *("key", "display_name", "category", "unit", "accepted_units", "kind", "aggregate", "decimals"),
    *("plausible_min", "plausible_max", "higher_is", "hk_identifier", "hae_name", "aliases"),
    *("xml_scale", "hk_aggregation", "ios", "notes"),
)
CATEGORY_COLUMNS = (
    *("key", "display_name", "category", "values", "hae_values", "value_prefix", "value_aliases"),
    *("hk_identifier", "aliases", "hae_section", "ios", "notes"),
)
WORKOUT_COLUMNS = (
    *("key", "display_name", "raw_value", "enum_name", "hk_identifier", "hae_names", "aliases"),
    *("location_hint", "has_distance", "distance_metric", "notes"),
)
COMPOUND_COLUMNS = ("hae_name", "field", "key", "unit", "notes")
STANDARD_COLUMNS = ("record_type", "field", "key", "unit", "notes")

Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Catalogue:
    """Everything known, immutable. Look-ups take a name in any spelling and return None for a stranger."""

    metrics: Mapping[str, Metric]
    categories: Mapping[str, Category]
    workout_types: Mapping[str, WorkoutType]
    compound_fields: Mapping[tuple[str, str], CompoundField]
    standard_fields: Mapping[tuple[str, str], StandardField]
    units: UnitTable
    words: WordTable
    _metric_names: Mapping[str, Metric]
    _category_names: Mapping[str, Category]
    _workout_names: Mapping[str, WorkoutType]
    _compounds: Mapping[str, Mapping[str, Metric]]

    def metric(self, name: str) -> Metric | None:
        """Return the metric known as `name`: key, alias, HealthKit identifier, phone app's or shown name.

        A name that stands for several metrics (blood_pressure) is none of them; ask `compound` for it.
        """
        return self._metric_names.get(fold_name(name))

    def compound(self, hae_name: str) -> Mapping[str, Metric] | None:
        """Return field → metric for a point that carries several values; field names are exactly as sent.

        `heart_rate` is the range shape: its Min, Avg and Max all belong to the one metric heart_rate.
        """
        return self._compounds.get(fold_name(hae_name))

    def category(self, name: str) -> Category | None:
        """Return the event category known as `name`: key, alias, HealthKit identifier or shown name."""
        return self._category_names.get(fold_name(name))

    def workout_type(self, name: str) -> WorkoutType | None:
        """Return the workout type known as `name`, in HealthKit, in the phone app or on screen."""
        return self._workout_names.get(fold_name(name))

    def conversion(self, unit: str, canonical: str) -> Conversion | None:
        """Return how `unit` becomes `canonical` for a value that belongs to no metric, such as a cadence.

        None when no general conversion is listed; for a metric use `Metric.conversion`.
        """
        known = self.units.general.get(canonical)
        if known is not None:
            return known.find(unit)
        return SAME if fold_unit(unit) == fold_unit(canonical) else None


@functools.cache
def load_catalogue() -> Catalogue:
    """Return the catalogue of this program. Raises `CatalogueError` when a data file is wrong."""
    return read_catalogue(files("appliance.catalog") / "data")


def read_catalogue(folder: Traversable) -> Catalogue:
    """Read and check the catalogue in `folder`. Raises `CatalogueError` naming file, line and column."""
    units = UnitTable(read_rows(folder, "units.csv", UNIT_COLUMNS))
    compound_rows = list(read_rows(folder, "compound_fields.csv", COMPOUND_COLUMNS))
    names: NameSpace[Metric | Category] = NameSpace()
    metrics = _metrics(read_rows(folder, "metrics.csv", METRIC_COLUMNS), units, compound_rows, names)
    units.check_scopes({key: (metric.unit, *metric.accepted_units) for key, metric in metrics.items()})
    categories = _categories(read_rows(folder, "categories.csv", CATEGORY_COLUMNS), names)
    words = WordTable(read_rows(folder, "words.csv", WORD_COLUMNS))
    words.check_categories(categories)
    metric_names = {name: row for name, row in names.owners.items() if isinstance(row, Metric)}
    category_names = {name: row for name, row in names.owners.items() if isinstance(row, Category)}
    compound_fields = _compound_fields(compound_rows, metrics)
    compounds = _compounds(compound_rows, metrics, metric_names)
    standard_rows = read_rows(folder, "standard_fields.csv", STANDARD_COLUMNS)
    workout_names: NameSpace[WorkoutType] = NameSpace()
    workout_rows = read_rows(folder, "workouts.csv", WORKOUT_COLUMNS)
    workout_types = _workout_types(workout_rows, metrics, workout_names)
    return Catalogue(
        metrics=MappingProxyType(metrics),
        categories=MappingProxyType(categories),
        workout_types=MappingProxyType(workout_types),
        compound_fields=MappingProxyType(compound_fields),
        standard_fields=MappingProxyType(_standard_fields(standard_rows, metrics)),
        units=units,
        words=words,
        _metric_names=metric_names,
        _category_names=category_names,
        _workout_names=workout_names.owners,
        _compounds=compounds,
    )


class NameSpace(Generic[Owner]):
    """Folded names and the one row each belongs to."""

    def __init__(self) -> None:
        self.owners: dict[str, Owner] = {}
        self._claimed_by: dict[str, Row] = {}

    def claim(self, row: Row, owner: Owner, names: Mapping[str, Iterable[str]]) -> None:
        """Give `owner` the names of each column. Raises `CatalogueError` when another row has one of them."""
        for column, spellings in names.items():
            for name in spellings:
                folded = fold_name(name)
                if not folded:
                    raise row.wrong(column, f"“{name}” has no letter or digit to be known by, or is too long")
                first = self._claimed_by.setdefault(folded, row)
                if first is not row:
                    raise row.wrong(
                        column,
                        f"“{name}” is already a name of “{first.text('key')}” ({first.file}, line {first.line})",
                    )
                self.owners[folded] = owner


def _metrics(
    rows: Iterable[Row], units: UnitTable, compound_rows: Iterable[Row], names: NameSpace[Metric | Category]
) -> dict[str, Metric]:
    fields = {(fold_name(row.text("hae_name")), row.text("key")) for row in compound_rows}
    metrics: dict[str, Metric] = {}
    for row in rows:
        metric = _metric(row, units)
        own_hae_name = [metric.hae_name] if metric.hae_name else []
        if (fold_name(metric.hae_name or ""), metric.key) in fields:
            own_hae_name = []  # the name of the compound, which several metrics share
        names.claim(
            row,
            metric,
            {
                "key": [metric.key],
                "display_name": [metric.display_name],
                "hk_identifier": [metric.hk_identifier] if metric.hk_identifier else [],
                "hae_name": own_hae_name,
                "aliases": metric.aliases,
            },
        )
        metrics[metric.key] = metric
    return metrics


def _metric(row: Row, units: UnitTable) -> Metric:
    kind: Kind = row.choice("kind", get_args(Kind))
    aggregate: Aggregate = row.choice("aggregate", get_args(Aggregate))
    if (kind == "cumulative") != (aggregate == "sum"):
        raise row.wrong(
            "aggregate", f"“{aggregate}” does not fit the kind “{kind}”: cumulative means sum, and only it"
        )
    low, high = row.number("plausible_min"), row.number("plausible_max")
    if low >= high:
        raise row.wrong("plausible_min", f"{low:g} is not below plausible_max, {high:g}")
    return Metric(
        key=row.text("key"),
        display_name=row.text("display_name"),
        category=row.text("category"),
        unit=row.text("unit"),
        kind=kind,
        aggregate=aggregate,
        decimals=row.whole("decimals"),
        plausible_min=low,
        plausible_max=high,
        higher_is=row.choice("higher_is", get_args(HigherIs)),
        hk_identifier=row.optional("hk_identifier") or None,
        hae_name=row.optional("hae_name") or None,
        aliases=row.items("aliases"),
        accepted_units=row.items("accepted_units"),
        xml_scale=_xml_scale(row),
        hk_aggregation=row.optional("hk_aggregation"),
        ios=row.optional("ios"),
        notes=row.optional("notes"),
        conversions=_conversions(row, units),
    )


def _xml_scale(row: Row) -> int | None:
    if not row.choice("xml_scale", ("", "100")):
        return None
    if "fraction" not in row.items("accepted_units"):
        raise row.wrong("xml_scale", "a metric with a scale must accept the unit “fraction”")
    return 100


def _conversions(row: Row, units: UnitTable) -> Conversions:
    key, canonical = row.text("key"), row.text("unit")
    exact = {canonical: SAME}
    for unit in row.items("accepted_units"):
        conversion = units.direct(unit, canonical, key)
        if conversion is None:
            scopes = units.scopes_of(unit, canonical)
            only = f"; it is listed for {', '.join(scopes)} only" if scopes else ""
            raise row.wrong("accepted_units", f"units.csv does not convert “{unit}” to “{canonical}”{only}")
        if unit in exact:
            raise row.wrong("accepted_units", f"“{unit}” is there already")
        exact[unit] = conversion
    try:
        return Conversions(exact, units.case_matters)
    except ValueError as error:
        raise row.wrong("accepted_units", str(error)) from error


def _categories(rows: Iterable[Row], names: NameSpace[Metric | Category]) -> dict[str, Category]:
    categories: dict[str, Category] = {}
    for row in rows:
        category = Category(
            key=row.text("key"),
            display_name=row.text("display_name"),
            category=row.text("category"),
            values=MappingProxyType(dict(row.numbered("values"))),
            hae_values=row.numbered("hae_values"),
            value_prefix=row.text("value_prefix"),
            value_aliases=row.numbered("value_aliases"),
            hk_identifier=row.text("hk_identifier"),
            aliases=row.items("aliases"),
            hae_section=row.optional("hae_section"),
            ios=row.optional("ios"),
            notes=row.optional("notes"),
            raw_by_label=MappingProxyType(_raw_by_label(row)),
        )
        names.claim(
            row,
            category,
            {
                "key": [category.key],
                "display_name": [category.display_name],
                "hk_identifier": [category.hk_identifier],
                "aliases": category.aliases,
            },
        )
        categories[category.key] = category
    return categories


def _raw_by_label(row: Row) -> dict[str, int]:
    known: dict[str, int] = {}
    values = row.numbered("values")
    numbers = {raw for raw, _ in values}
    if len(numbers) != len(values):
        raise row.wrong("values", "a number is there twice")
    for column in ("values", "hae_values", "value_aliases"):
        for raw, label in row.numbered(column):
            if raw not in numbers:
                raise row.wrong(column, f"{raw} is not one of the values")
            for spelling in (str(raw), label, row.text("value_prefix") + label):
                if known.setdefault(fold_name(spelling), raw) != raw:
                    raise row.wrong(column, f"“{spelling}” would mean two values")
    return known


def _workout_types(
    rows: Iterable[Row], metrics: Mapping[str, Metric], names: NameSpace[WorkoutType]
) -> dict[str, WorkoutType]:
    types: dict[str, WorkoutType] = {}
    for row in rows:
        distance_metric = row.optional("distance_metric") or None
        if distance_metric is not None and distance_metric not in metrics:
            raise row.wrong("distance_metric", f"there is no metric “{distance_metric}”")
        workout_type = WorkoutType(
            key=row.text("key"),
            display_name=row.text("display_name"),
            raw_value=row.whole("raw_value"),
            enum_name=row.text("enum_name"),
            hk_identifier=row.text("hk_identifier"),
            hae_names=row.items("hae_names"),
            aliases=row.items("aliases"),
            location_hint=row.choice("location_hint", get_args(LocationHint)),
            has_distance=row.choice("has_distance", get_args(HasDistance)),
            distance_metric=distance_metric,
            notes=row.optional("notes"),
        )
        names.claim(
            row,
            workout_type,
            {
                "key": [workout_type.key],
                "display_name": [workout_type.display_name],
                "enum_name": [workout_type.enum_name],
                "hk_identifier": [workout_type.hk_identifier],
                "hae_names": workout_type.hae_names,
                "aliases": workout_type.aliases,
            },
        )
        types[workout_type.key] = workout_type
    return types


def _compound_fields(
    rows: Iterable[Row], metrics: Mapping[str, Metric]
) -> dict[tuple[str, str], CompoundField]:
    fields: dict[tuple[str, str], CompoundField] = {}
    for row in rows:
        place = row.text("hae_name"), row.text("field")
        if place in fields:
            raise row.wrong("field", f"“{place[1]}” of “{place[0]}” is there already")
        _check_field(row, metrics.get(row.text("key")))
        fields[place] = CompoundField(*place, row.text("key"), row.text("unit"), row.optional("notes"))
    return fields


def _compounds(
    rows: Iterable[Row], metrics: Mapping[str, Metric], metric_names: Mapping[str, Metric]
) -> dict[str, Mapping[str, Metric]]:
    compounds: dict[str, dict[str, Metric]] = {}
    for row in rows:
        metric = metrics[row.text("key")]
        folded = fold_name(row.text("hae_name"))
        namesake = metric_names.get(folded)
        if namesake is not None and namesake is not metric:
            raise row.wrong(
                "hae_name",
                f"“{row.text('hae_name')}” is the metric “{namesake.key}”, so it cannot hold “{metric.key}”",
            )
        compounds.setdefault(folded, {})[row.text("field")] = metric
    return {name: MappingProxyType(fields) for name, fields in compounds.items()}


def _standard_fields(
    rows: Iterable[Row], metrics: Mapping[str, Metric]
) -> dict[tuple[str, str], StandardField]:
    fields: dict[tuple[str, str], StandardField] = {}
    for row in rows:
        place = row.text("record_type"), row.text("field")
        if place in fields:
            raise row.wrong("field", f"“{place[1]}” of “{place[0]}” is there already")
        key = row.optional("key") or None
        if key is not None:
            _check_field(row, metrics.get(key))
        fields[place] = StandardField(*place, key, row.text("unit"), row.optional("notes"))
    return fields


def _check_field(row: Row, metric: Metric | None) -> None:
    if metric is None:
        raise row.wrong("key", f"there is no metric “{row.text('key')}”")
    unit = row.text("unit")
    if unit not in metric.conversions:
        raise row.wrong(
            "unit", f"the metric “{metric.key}”, kept in “{metric.unit}”, does not accept “{unit}”"
        )
