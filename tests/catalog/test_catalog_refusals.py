"""A catalogue with a gap does not load, and the sentence says where the gap is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.catalog.conftest import BreakableData

STEPS = {"key": "step_count"}
REQUIRED = (
    *("key", "display_name", "category", "unit", "kind", "aggregate"),
    *("decimals", "plausible_min", "plausible_max"),
)


def says(sentence: str, file: str, column: str, *words: str) -> bool:
    return (
        re.match(rf"{re.escape(file)}, line \d+ \(.*\), column “{column}”: ", sentence) is not None
        and sentence.endswith(".")
        and all(word in sentence for word in words)
    )


def test_an_unbroken_copy_loads(data):
    assert data.read().metrics["step_count"].unit == "count"


@pytest.mark.parametrize("column", REQUIRED)
def test_a_blank_required_cell_is_refused(data: BreakableData, column):
    data.change("metrics.csv", {"key": "nike_fuel"}, **{column: "  "})
    assert says(data.refusal(), "metrics.csv", column, "no default")


@pytest.mark.parametrize(
    ("file", "column"),
    [
        *(("metrics.csv", column) for column in REQUIRED),
        ("units.csv", "factor"),
        ("categories.csv", "values"),
        ("workouts.csv", "raw_value"),
        ("compound_fields.csv", "field"),
        ("standard_fields.csv", "unit"),
    ],
)
def test_a_missing_column_is_refused(data: BreakableData, file, column):
    rows = data.rows(file)
    for row in rows:
        del row[column]
    data.write(file, rows)
    assert data.refusal() == f"{file}, line 1: the column “{column}” must be there once."


def test_an_unknown_column_is_refused(data: BreakableData):
    data.write("metrics.csv", [row | {"colour": "red"} for row in data.rows("metrics.csv")])
    assert "“colour”" in data.refusal()


def test_a_ragged_row_is_refused(data: BreakableData):
    path = data.folder / "compound_fields.csv"
    path.write_text(path.read_text(encoding="utf-8") + "blood_pressure,pulse\n", encoding="utf-8")
    assert says(data.refusal(), "compound_fields.csv", "field", "2 cells instead of 5")


def test_a_missing_file_is_refused(data: BreakableData):
    (data.folder / "units.csv").unlink()
    assert data.refusal().startswith("units.csv cannot be read")


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"kind": "cumulativ"}, "kind", ("“cumulativ”", "cumulative, discrete")),
        ({"aggregate": "median"}, "aggregate", ("“median”",)),
        ({"aggregate": "avg"}, "aggregate", ("“avg”", "“cumulative”")),
        ({"kind": "discrete"}, "aggregate", ("“sum”", "“discrete”")),
        ({"plausible_min": "250000"}, "plausible_min", ("250000",)),
        ({"plausible_min": "250001"}, "plausible_min", ("not below",)),
        ({"plausible_max": "many"}, "plausible_max", ("“many”", "number")),
        ({"plausible_max": "inf"}, "plausible_max", ("“inf”",)),
        ({"plausible_min": "nan"}, "plausible_min", ("“nan”",)),
        ({"decimals": "0.5"}, "decimals", ("whole number",)),
        ({"decimals": "-1"}, "decimals", ("whole number",)),
        ({"higher_is": "good"}, "higher_is", ("better, worse",)),
        ({"xml_scale": "10"}, "xml_scale", ("“10”",)),
        ({"xml_scale": "100"}, "xml_scale", ("fraction",)),
        ({"aliases": "steps||stepCount"}, "aliases", ("empty part",)),
        ({"aliases": "-"}, "aliases", ("no letter or digit",)),
        ({"accepted_units": "steps|steps"}, "accepted_units", ("there already",)),
        ({"accepted_units": "furlong"}, "accepted_units", ("“furlong”", "“count”")),
        ({"unit": "parsec", "accepted_units": "steps"}, "accepted_units", ("“steps”", "“parsec”")),
    ],
)
def test_a_wrong_metric_cell_is_refused(data: BreakableData, cells, column, words):
    data.change("metrics.csv", STEPS, **cells)
    assert says(data.refusal(), "metrics.csv", column, "(step_count)", *words)


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("key", "heart_rate"),
        ("aliases", "Heart-Rate"),
        ("aliases", "HKQuantityTypeIdentifierHeartRate"),
        ("display_name", "heart rate"),
        ("hae_name", "HeartRate"),
        ("hk_identifier", "hkquantitytypeidentifierheartrate"),
    ],
)
def test_two_rows_cannot_share_a_name_however_it_is_spelt(data: BreakableData, column, name):
    data.change("metrics.csv", {"key": "vitamin_k"}, **{column: name})
    assert says(data.refusal(), "metrics.csv", column, f"“{name}”", "“heart_rate”")


@pytest.mark.parametrize("name", ["Sleep", "sleep_time", "HKCategoryTypeIdentifierSleepAnalysis"])
def test_a_metric_cannot_take_the_name_of_an_event(data: BreakableData, name):
    data.change("metrics.csv", {"key": "sleep_total"}, display_name=name)
    refusal = data.refusal()
    assert refusal.startswith("categories.csv")
    assert "“sleep_total” (metrics.csv, line" in refusal


def test_a_name_collision_names_both_rows(data: BreakableData):
    data.change("metrics.csv", {"key": "nike_fuel"}, aliases="Step-Count")
    sentence = data.refusal()
    assert says(sentence, "metrics.csv", "aliases", "(nike_fuel)", "“Step-Count”", "“step_count”", "line 2")


def test_an_event_cannot_take_the_name_of_a_metric(data: BreakableData):
    data.change("categories.csv", {"key": "acne"}, aliases="hrv")
    assert says(
        data.refusal(), "categories.csv", "aliases", "“hrv”", "“heart_rate_variability”", "metrics.csv"
    )


def test_two_workouts_cannot_share_a_name(data: BreakableData):
    data.change("workouts.csv", {"key": "yoga"}, hae_names="Outdoor RUN")
    assert says(data.refusal(), "workouts.csv", "hae_names", "“running”")


@pytest.mark.parametrize("column", ["hae_name", "aliases"])
def test_a_metric_outside_a_compound_cannot_be_called_like_it(data: BreakableData, column):
    data.change("metrics.csv", {"key": "nike_fuel"}, **{column: "blood_pressure"})
    assert says(data.refusal(), "compound_fields.csv", "hae_name", "“blood_pressure”", "“nike_fuel”")


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"factor": "0"}, "factor", ("factor of 0",)),
        ({"factor": "-0.0"}, "factor", ("factor of 0",)),
        ({"factor": ""}, "factor", ("no default",)),
        ({"factor": "a third"}, "factor", ("number",)),
        ({"offset": ""}, "offset", ("no default",)),
        ({"offset": "nan"}, "offset", ("number",)),
        ({"from_unit": ""}, "from_unit", ("no default",)),
    ],
)
def test_a_wrong_conversion_is_refused(data: BreakableData, cells, column, words):
    data.change("units.csv", {"from_unit": "falls"}, **cells)
    assert says(data.refusal(), "units.csv", column, *words)


def test_a_repeated_conversion_is_refused(data: BreakableData):
    data.add("units.csv", {"from_unit": "Cal"}, factor="2")
    assert says(data.refusal(), "units.csv", "from_unit", "already on line 2")


def test_a_scoped_unit_is_only_valid_for_its_metric(data: BreakableData):
    data.change("metrics.csv", {"key": "flights_climbed"}, accepted_units="pas")
    assert says(data.refusal(), "metrics.csv", "accepted_units", "“pas”", "step_count only")


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"scope": "heartbeat"}, "scope", ("no metric “heartbeat”",)),
        ({"scope": "heart_rate"}, "to_unit", ("“count/min”", "“count”")),
        ({"scope": "flights_climbed"}, "from_unit", ("does not accept “hours”",)),
    ],
)
def test_a_scope_is_a_metric_that_uses_the_conversion(data: BreakableData, cells, column, words):
    data.add("units.csv", {"from_unit": "hours", "scope": "apple_stand_hour"}, **cells)
    assert says(data.refusal(), "units.csv", column, *words)


def test_spellings_that_look_alike_cannot_convert_differently(data: BreakableData):
    data.change("units.csv", {"from_unit": "ºF"}, offset="0")
    assert says(data.refusal(), "metrics.csv", "accepted_units", "two ways")


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("compound_fields.csv", {"field": "systolic"}),
        ("standard_fields.csv", {"record_type": "Nutrition", "field": "dietary_water"}),
    ],
)
@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"key": "heartbeat"}, "key", ("no metric “heartbeat”",)),
        ({"unit": "furlong"}, "unit", ("“furlong”",)),
        ({"unit": ""}, "unit", ("no default",)),
        ({"field": ""}, "field", ("no default",)),
    ],
)
def test_a_field_leads_to_a_metric_that_takes_its_unit(data: BreakableData, file, row, cells, column, words):
    data.change(file, row, **cells)
    assert says(data.refusal(), file, column, *words)


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("compound_fields.csv", {"field": "systolic"}),
        ("standard_fields.csv", {"record_type": "Nutrition", "field": "dietary_water"}),
    ],
)
def test_a_repeated_field_is_refused(data: BreakableData, file, row):
    data.add(file, row)
    assert says(data.refusal(), file, "field", "there already")


def test_a_compound_field_needs_a_key(data: BreakableData):
    data.change("compound_fields.csv", {"field": "systolic"}, key="")
    assert says(data.refusal(), "compound_fields.csv", "key", "no default")


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"values": "0"}, "values", ("“0”",)),
        ({"values": "0:Present|0:Absent"}, "values", ("twice",)),
        ({"value_aliases": "7:Perhaps"}, "value_aliases", ("7 is not one",)),
        ({"value_aliases": "1:Present"}, "value_aliases", ("two values",)),
        ({"value_prefix": ""}, "value_prefix", ("no default",)),
        ({"hk_identifier": ""}, "hk_identifier", ("no default",)),
    ],
)
def test_a_wrong_event_cell_is_refused(data: BreakableData, cells, column, words):
    data.change("categories.csv", {"key": "mood_changes"}, **cells)
    assert says(data.refusal(), "categories.csv", column, "(mood_changes)", *words)


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"raw_value": ""}, "raw_value"),
        ({"location_hint": "nowhere"}, "location_hint"),
        ({"has_distance": ""}, "has_distance"),
        ({"distance_metric": "heartbeat"}, "distance_metric"),
    ],
)
def test_a_wrong_workout_cell_is_refused(data: BreakableData, cells, column):
    data.change("workouts.csv", {"key": "yoga"}, **cells)
    assert says(data.refusal(), "workouts.csv", column, "(yoga)")
