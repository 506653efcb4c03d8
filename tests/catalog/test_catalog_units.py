"""Values become canonical from the unit that was sent, and an unknown unit is never guessed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.catalog.load import load_catalogue
from appliance.catalog.rows import SAME, Conversion, Conversions

PAIRS = [(metric, unit) for metric in load_catalogue().metrics.values() for unit in metric.conversions]


def test_every_metric_takes_its_own_unit_and_every_accepted_one(catalogue):
    for metric in catalogue.metrics.values():
        assert set(metric.conversions) == {metric.unit, *metric.accepted_units}
        assert metric.conversion(metric.unit) == SAME


@given(pair=st.sampled_from(PAIRS), value=st.floats(-1e9, 1e9))
def test_a_value_comes_back_from_its_canonical_unit(pair, value):
    metric, unit = pair
    conversion = metric.conversion(unit)
    # Adding an offset costs digits of a value that is small beside it; the factor alone costs none.
    slack = 1e-12 * abs(conversion.offset / conversion.factor)
    assert math.isclose(conversion.undo(conversion.apply(value)), value, rel_tol=1e-12, abs_tol=slack)


@given(pair=st.sampled_from(PAIRS), one=st.floats(-1e6, 1e6), other=st.floats(-1e6, 1e6))
def test_a_conversion_keeps_the_order_of_values(pair, one, other):
    metric, unit = pair
    conversion = metric.conversion(unit)
    low, high = sorted((one, other))
    assert conversion.apply(low) <= conversion.apply(high)


@pytest.mark.parametrize(
    ("key", "unit", "sent", "canonical"),
    [
        ("active_energy", "kJ", 418.4, 100),
        ("active_energy", "kcal", 100, 100),
        ("active_energy", "Cal", 100, 100),
        ("active_energy", "cal", 100, 0.1),
        ("walking_running_distance", "mi", 1, 1.609344),
        ("swimming_distance", "yd", 100, 91.44),
        ("body_temperature", "degF", 98.6, 37),
        ("body_temperature", "°F", 98.6, 37),
        ("body_temperature", "ºC", 37, 37),
        ("body_temperature", "K", 310.15, 37),
        ("blood_glucose", "mmol/L", 5, 90.0779),
        ("blood_glucose", "mmol<180.1558800000541>/L", 5, 90.0779),
        ("weight_body_mass", "lb", 100, 45.359237),
        ("weight_body_mass", "st", 10, 63.5029318),
        ("height", "m", 1.8, 180),
        ("electrodermal_activity", "S", 0.00001, 10),
        ("heart_rate_variability", "s", 0.05, 50),
        ("blood_oxygen_saturation", "%", 97, 97),
        ("blood_oxygen_saturation", "fraction", 0.97, 97),
        ("blood_alcohol_content", "‰", 0.8, 0.08),
        ("blood_alcohol_content", "mg/dL", 80, 0.08),
        ("physical_effort", "MET", 3.5, 3.5),
        ("physical_effort", "kcal/hr·kg", 3.5, 3.5),
        ("insulin_delivery", "U", 4, 4),
        ("step_count", "pas", 120, 120),
        ("step_count", "步", 120, 120),
        ("apple_stand_hour", "hr", 9, 9),
        ("sleep_total", "min", 480, 8),
    ],
)
def test_known_values(catalogue, key, unit, sent, canonical):
    assert catalogue.metrics[key].conversion(unit).apply(sent) == pytest.approx(canonical, rel=1e-6)


def test_international_units_differ_by_vitamin(catalogue):
    factors = {
        key: catalogue.metrics[key].conversion("IU").factor for key in ("vitamin_a", "vitamin_d", "vitamin_e")
    }
    assert factors == {"vitamin_a": 0.3, "vitamin_d": 0.025, "vitamin_e": 0.67}
    assert [key for key, metric in catalogue.metrics.items() if metric.conversion("IU")] == [
        "insulin_delivery",
        "vitamin_e",
        "vitamin_a",
        "vitamin_d",
    ]


@pytest.mark.parametrize("unit", ["mmol/L", "mmol/l", "MMOL/L"])
def test_a_molar_unit_is_understood_for_glucose_only(catalogue, unit):
    assert [key for key, metric in catalogue.metrics.items() if metric.conversion(unit)] == ["blood_glucose"]


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("iron", "μg"),  # GREEK SMALL LETTER MU
        ("iron", "µg"),  # MICRO SIGN
        ("electrodermal_activity", "μS"),
        ("physical_effort", "kcal/hr\N{DOT OPERATOR}kg"),
        ("physical_effort", "kcal/hr\N{BULLET OPERATOR}kg"),
        ("dietary_water", " fl  oz "),
        ("dietary_water", "fl\N{NO-BREAK SPACE}oz"),
        ("heart_rate", "Count/Min"),
        ("heart_rate", "Bpm"),
        ("active_energy", "KJ"),
        ("active_energy", "Kcal"),
        ("weight_body_mass", "KG"),
        ("dietary_water", "ML"),
        ("vo2_max", "ML/(KG·MIN)"),
        ("physical_effort", "met"),
    ],
)
def test_harmless_differences_in_spelling_are_overlooked(catalogue, key, unit):
    assert catalogue.metrics[key].conversion(unit) is not None


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("active_energy", "CAL"),  # Cal is a thousand cal
        ("electrodermal_activity", "s"),  # seconds, not siemens
        ("electrodermal_activity", "ms"),
        ("handwashing", "S"),
        ("heart_rate_variability", "MS"),
        ("heart_rate_variability", "mS"),
    ],
)
def test_case_that_carries_meaning_is_never_overlooked(catalogue, key, unit):
    assert catalogue.metrics[key].conversion(unit) is None


@given(metric=st.sampled_from(list(load_catalogue().metrics.values())), unit=st.text(max_size=12))
def test_an_unknown_unit_is_none(metric, unit):
    known = {spelling.casefold() for spelling in metric.conversions}
    if not any(letter in unit for letter in " ·⋅∙µμ°º") and unit.strip().casefold() not in known:
        assert metric.conversion(unit) is None


@pytest.mark.parametrize("unit", ["", " ", "furlong", "kg", "count ", "x" * 100_000])
def test_a_unit_of_something_else_is_none(catalogue, unit):
    assert catalogue.metrics["heart_rate"].conversion(unit) is None


def test_every_unit_the_catalogue_shows_is_the_only_one_it_keeps(catalogue):
    for field in (*catalogue.compound_fields.values(), *catalogue.standard_fields.values()):
        if field.key is not None:
            assert catalogue.metrics[field.key].conversion(field.unit) is not None


def test_a_value_without_a_metric_is_converted_by_the_general_rows_alone(catalogue):
    assert catalogue.conversion("spm", "count/min") == SAME
    assert catalogue.conversion("mi", "km") == Conversion(1.609344, 0)
    assert catalogue.conversion("mmol/L", "mg/dL") is None
    assert catalogue.conversion("m", "m") == SAME
    assert catalogue.conversion("hPa", "hPa") == SAME
    assert catalogue.conversion("lux", "lux") == SAME
    assert catalogue.conversion("lux", "km") is None


def test_a_scoped_conversion_wins_over_a_general_one(data):
    data.add("units.csv", {"from_unit": "steps"}, factor="2", scope="step_count")
    metrics = data.read().metrics
    assert metrics["step_count"].conversion("steps").apply(3) == 6


def test_conversions_are_a_mapping_of_the_exact_spellings():
    conversions = Conversions({"kg": SAME, "KG.": Conversion(2, 0)})
    assert dict(conversions) == {"kg": SAME, "KG.": Conversion(2, 0)}
    assert "KG" not in conversions
    assert conversions.find("KG") == SAME
