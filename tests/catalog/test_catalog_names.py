"""Everything is found by every name it has, and a stranger is never taken for somebody known."""

from __future__ import annotations

import pytest

from appliance.catalog.load import load_catalogue
from appliance.catalog.names import fold_name

SHARED = {"blood_pressure", "sleep_analysis", "sexual_activity"}


@pytest.mark.parametrize(
    ("file", "floor"),
    [
        ("metrics.csv", 152),
        ("units.csv", 169),
        ("categories.csv", 72),
        ("workouts.csv", 84),
        ("words.csv", 106),
        ("compound_fields.csv", 16),
        ("standard_fields.csv", 127),
    ],
)
def test_no_row_gets_lost(shipped_rows, file, floor):
    assert len(shipped_rows(file)) >= floor


def test_every_row_of_the_files_is_loaded(catalogue, shipped_rows):
    assert list(catalogue.metrics) == [row["key"] for row in shipped_rows("metrics.csv")]
    assert list(catalogue.categories) == [row["key"] for row in shipped_rows("categories.csv")]
    assert list(catalogue.workout_types) == [row["key"] for row in shipped_rows("workouts.csv")]
    assert list(catalogue.compound_fields) == [
        (row["hae_name"], row["field"]) for row in shipped_rows("compound_fields.csv")
    ]
    assert list(catalogue.standard_fields) == [
        (row["record_type"], row["field"]) for row in shipped_rows("standard_fields.csv")
    ]


@pytest.mark.parametrize("metric", load_catalogue().metrics.values(), ids=lambda metric: metric.key)
def test_every_name_of_a_metric_finds_it(catalogue, metric):
    names = {metric.key, metric.display_name, metric.hk_identifier, metric.hae_name, *metric.aliases} - {None}
    for name in names - SHARED:
        for spelling in (name, name.upper(), name.replace("_", " "), f" {name.replace('_', '-')}\n"):
            assert catalogue.metric(spelling) is metric
            assert catalogue.category(spelling) is None


@pytest.mark.parametrize("category", load_catalogue().categories.values(), ids=lambda category: category.key)
def test_every_name_of_an_event_finds_it(catalogue, category):
    for name in (category.key, category.display_name, category.hk_identifier, *category.aliases):
        assert catalogue.category(name) is category
        assert catalogue.metric(name) is None


@pytest.mark.parametrize("workout", load_catalogue().workout_types.values(), ids=lambda workout: workout.key)
def test_every_name_of_a_workout_finds_it(catalogue, workout):
    names = (workout.key, workout.display_name, workout.enum_name, workout.hk_identifier)
    for name in (*names, *workout.hae_names, *workout.aliases):
        assert catalogue.workout_type(name) is workout


def test_a_translated_workout_name_is_a_row_and_not_a_guess(catalogue):
    assert catalogue.workout_type("户外 步行").key == "walking"
    assert catalogue.workout_type("户外 跑步") is None


@pytest.mark.parametrize("name", ["", " ", "_", "步数", "energy", "football", "x" * 100_000])
def test_a_stranger_is_none(catalogue, name):
    assert catalogue.metric(name) is None
    assert catalogue.compound(name) is None
    assert catalogue.category(name) is None
    assert catalogue.workout_type(name) is None


def test_letters_that_are_not_english_never_shrink_a_name_into_a_known_one(catalogue):
    assert catalogue.metric("步 hrv") is None
    assert fold_name("VO₂ Max") == "vo2max"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("blood_pressure", {"systolic": "blood_pressure_systolic", "diastolic": "blood_pressure_diastolic"}),
        ("heart_rate", {"Min": "heart_rate", "Avg": "heart_rate", "Max": "heart_rate"}),
        (
            "sleep_analysis",
            {
                "totalSleep": "sleep_total",
                "asleep": "sleep_asleep_unspecified",
                "core": "sleep_core",
                "deep": "sleep_deep",
                "rem": "sleep_rem",
                "awake": "sleep_awake",
                "inBed": "sleep_in_bed",
            },
        ),
        (
            "sexual_activity",
            {
                "Unspecified": "sexual_activity_unspecified",
                "Protection Used": "sexual_activity_protection_used",
                "Protection Not Used": "sexual_activity_protection_not_used",
            },
        ),
        ("stateOfMind", {"valence": "state_of_mind_valence"}),
    ],
)
def test_a_point_with_several_values_leads_to_the_metric_of_each(catalogue, name, fields):
    assert {field: metric.key for field, metric in catalogue.compound(name).items()} == fields
    assert catalogue.compound(name.upper()) is catalogue.compound(name)


@pytest.mark.parametrize("name", sorted(SHARED))
def test_a_name_of_several_metrics_is_none_of_them(catalogue, name):
    assert catalogue.metric(name) is None


def test_a_plain_metric_is_no_compound(catalogue):
    assert catalogue.compound("step_count") is None


def test_sleep_is_an_event_and_a_compound_and_its_totals_are_metrics(catalogue):
    assert catalogue.category("HKCategoryTypeIdentifierSleepAnalysis").key == "sleep_analysis"
    assert catalogue.category("sleep_analysis").raw_value("Core") == 3
    assert catalogue.metric("totalSleep").key == "sleep_total"


def test_minutes_of_mindfulness_are_a_metric_and_its_session_an_event(catalogue):
    assert catalogue.metric("mindful_minutes").unit == "min"
    assert catalogue.category("HKCategoryTypeIdentifierMindfulSession").key == "mindful_session"


@pytest.mark.parametrize(
    ("event", "label", "raw"),
    [
        ("sleep_analysis", "In Bed", 0),
        ("sleep_analysis", "inbed", 0),
        ("sleep_analysis", "HKCategoryValueSleepAnalysisAsleepREM", 5),
        ("sleep_analysis", "HKCategoryValueSleepAnalysisAsleep", 1),
        ("sleep_analysis", "4", 4),
        ("headache", "Mild", 2),
        ("headache", "HKCategoryValueSeverityMild", 2),
        ("headache", "HKCategoryValueNotApplicable", None),
        ("mindful_session", "HKCategoryValueNotApplicable", 0),
        ("mood_changes", "Present", 0),
        ("audio_exposure_event_legacy", "HKCategoryValueEnvironmentalAudioExposureEventMomentaryLimit", 1),
        ("headache", "Terrible", None),
        ("headache", "", None),
        ("menopausal_state", "Perimenopause", None),
    ],
)
def test_a_label_of_an_event_has_one_raw_number(catalogue, event, label, raw):
    assert catalogue.category(event).raw_value(label) == raw


def test_every_label_of_every_event_is_understood(catalogue):
    for category in catalogue.categories.values():
        for raw, label in (*category.values.items(), *category.hae_values, *category.value_aliases):
            assert category.raw_value(label) == raw
            assert category.raw_value(category.value_prefix + label) == raw


def test_the_standard_json_has_its_own_units(catalogue):
    water = catalogue.standard_fields["Nutrition", "dietary_water"]
    assert (water.key, water.unit) == ("dietary_water", "L")
    assert catalogue.metrics["dietary_water"].conversion(water.unit).apply(1.5) == 1500
    assert catalogue.standard_fields["Fertility", "lh_level"].key is None


def test_the_program_reads_its_data_once():
    assert load_catalogue() is load_catalogue()


def test_what_was_loaded_cannot_be_changed(catalogue):
    with pytest.raises(TypeError):
        catalogue.metrics["x"] = None
    with pytest.raises(TypeError):
        catalogue.compound("heart_rate")["Avg"] = None
    with pytest.raises(AttributeError):
        catalogue.metrics["heart_rate"].unit = "Hz"
