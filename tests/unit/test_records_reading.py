"""States of mind, medications, symptoms and the cycle: words kept as they came, with the key they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind
from appliance.domain.text import storable
from appliance.intake.read import READERS
from tests.builders import instant, read_arrays
from tests.fixtures.records import EVENING, a_cycle_entry, a_dose, a_mood, a_symptom, one_of_each

BUILDERS = {
    "stateOfMind": a_mood,
    "medications": a_dose,
    "symptoms": a_symptom,
    "cycleTracking": a_cycle_entry,
}


def read_one(array, item):
    reading = read_arrays({array: [item]})
    assert reading.quarantined == [], reading.quarantined[0].detail
    ((record,),) = reading.records.values()
    return record


def mood(**fields):
    return read_one("stateOfMind", a_mood(**fields))


def dose(**fields):
    return read_one("medications", a_dose(**fields))


def symptom(**fields):
    return read_one("symptoms", a_symptom(**fields))


def entry(**fields):
    return read_one("cycleTracking", a_cycle_entry(**fields))


# State of mind


def test_a_real_state_of_mind_is_read():
    record = mood()
    assert (record.kind, record.label, record.flags) == (Kind.STATE_OF_MIND, "daily_mood", ())
    assert record.identity == "3F2A1C9E-8B57-4E0D-9C1B-52D1A7E6F001"
    assert (record.start, record.end) == (instant("2026-08-07T19:12:08+00:00"),) * 2
    assert record.content == {
        "kind": "daily_mood",
        "kind_key": "daily_mood",
        "labels": ["calm", "grateful"],
        "associations": ["family"],
        "valence": 0.62,
        "valence_classification": "pleasant",
        "valence_classification_key": "pleasant",
    }


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        (1, "very_unpleasant"),
        (2, "unpleasant"),
        (3.0, "slightly_unpleasant"),
        ("4", "neutral"),
        (5, "slightly_pleasant"),
        (6, "pleasant"),
        (7, "very_pleasant"),
        (8, None),
        (1.5, None),
        ("very_pleasant", "very_pleasant"),
        ("Sehr unangenehm", "very_unpleasant"),
        ("Muy agradable", "very_pleasant"),
        ("愉快", "pleasant"),
        ("meh", None),
    ],
)
def test_a_valence_class_is_known_as_the_documented_number_and_as_the_real_word(sent, key):
    content = mood(valenceClassification=sent).content
    assert (content["valence_classification"], content.get("valence_classification_key")) == (sent, key)


def test_a_state_of_mind_without_id_is_known_by_its_moment_and_kind():
    assert mood(id=None).identity == mood(id="", valence=-0.5).identity
    assert mood(id=None).identity != mood(id=None, kind="momentary_emotion").identity


def test_two_ids_alike_in_their_first_500_letters_are_two():
    assert mood(id="x" * 500 + "1").identity != mood(id="x" * 500 + "2").identity


def test_a_state_of_mind_needs_no_more_than_its_start():
    record = read_one("stateOfMind", {"start": EVENING})
    assert (record.content, record.end) == ({}, None)


@pytest.mark.parametrize("valence", [-1, 1, 0, "0.5", None])
def test_the_ends_of_the_valence_scale_are_possible(valence):
    assert mood(valence=valence).content.get("valence") == (None if valence is None else float(valence))


# Medications


def test_a_real_dose_is_read():
    record = dose()
    assert (record.kind, record.label, record.flags) == (Kind.MEDICATION, "Vitamin D3 1000 IU", ())
    assert record.start == instant("2026-08-07T08:12:00+02:00")
    assert record.content == {
        "name": "Vitamin D3 1000 IU",
        "status": "Taken",
        "status_key": "taken",
        "scheduled": "2026-08-07T08:00:00+02:00",
        "dosage": 1,
        "archived": False,
    }


def test_a_documented_dose_is_read_with_form_nickname_and_codings():
    codings = [{"code": "1", "system": "rx", "version": None}]
    content = dose(form="Tablet", nickname="Sun", codings=codings).content
    assert (content["form"], content["nickname"], content["codings"]) == ("Tablet", "Sun", codings)


def test_a_dose_is_the_same_one_before_and_after_it_is_taken():
    waiting = dose(status="Not Interacted", start="2026-08-07 08:00:00 +0200", end=None, dosage=None)
    assert waiting.identity == dose().identity == dose(displayText="Vitamin D3 1000 IU").identity
    assert waiting.identity != dose(scheduledDate="2026-08-08 08:00:00 +0200").identity
    assert waiting.identity != dose(displayText="Vitamin D3").identity


def test_an_unscheduled_dose_is_known_by_when_it_was_taken():
    assert dose(scheduledDate=None).identity != dose(scheduledDate=None, start=EVENING).identity
    assert "scheduled" not in dose(scheduledDate=None).content


def test_a_dose_without_a_start_stands_where_it_was_scheduled_and_says_so():
    record = dose(start=None, end=None)
    assert record.start == instant("2026-08-07T08:00:00+02:00")
    assert record.flags == ("start_is_scheduled_date",)


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("Taken", "taken"),
        ("Skipped", "skipped"),
        ("Not Interacted", "not_interacted"),
        ("Notification Not Sent", "notification_not_sent"),
        ("Snoozed", "snoozed"),
        ("Not Logged", "not_logged"),
        ("Unspecified", "unspecified"),
        ("Tomado", "taken"),
        ("Omitido", "skipped"),
        ("No Interactuado", "not_interacted"),
        ("Eingenommen", "taken"),
        ("Übersprungen", "skipped"),
        ("Pris", "taken"),
        ("Ignoré", "skipped"),
        ("Não interagido", "not_interacted"),
        ("已服用", "taken"),
        ("Otettu", None),
    ],
)
def test_a_status_keeps_its_word_and_gets_the_key_it_stands_for(sent, key):
    content = dose(status=sent).content
    assert (content["status"], content.get("status_key")) == (sent, key)


# Symptoms


def test_a_documented_symptom_is_read():
    record = symptom()
    assert (record.kind, record.label, record.source) == (Kind.SYMPTOM, "Headache", "Anna's iPhone")
    assert record.content == {
        "name": "Headache",
        "name_key": "headache",
        "severity": "Mild",
        "severity_key": "mild",
        "user_entered": True,
    }


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("Abdominal Cramps", "abdominal_cramps"),
        ("Body and Muscle Ache", "generalized_body_ache"),
        ("Rapid, Pounding, or Fluttering Heartbeat", "rapid_pounding_or_fluttering_heartbeat"),
        ("Kopfschmerzen", "headache"),
        ("Halsschmerzen", "sore_throat"),
        ("Dolor de cabeza", "headache"),
        ("Fièvre", "fever"),
        ("Perte de l’odorat", "loss_of_smell"),
        ("Tosse", "coughing"),
        ("Dor de cabeça", "headache"),
        ("头痛", "headache"),
        ("Toothache", None),
    ],
)
def test_a_symptom_keeps_its_name_and_gets_the_key_of_its_category(sent, key):
    content = symptom(name=sent).content
    assert (content["name"], content.get("name_key")) == (sent, key)


@pytest.mark.parametrize(
    ("name", "sent", "key"),
    [
        ("Headache", "Not Present", "not_present"),
        ("Headache", "Moderate", "moderate"),
        ("Headache", "Severe", "severe"),
        ("Headache", "Unspecified", "unspecified"),
        ("Headache", "Present", "present"),
        ("Headache", "3", "moderate"),
        ("Kopfschmerzen", "Leicht", "mild"),
        ("Dolor de cabeza", "Moderado", "moderate"),
        ("头痛", "严重", "severe"),
        ("Mood Changes", "Present", "present"),
        ("Mood Changes", "1", "not_present"),
        ("Appetite Changes", "Decreased", "decreased"),
        ("Appetite Changes", "No Change", "no_change"),
        ("Appetite Changes", "Erhöht", "increased"),
        ("Toothache", "Stark", "severe"),
        ("Headache", "ferocious", None),
    ],
)
def test_a_severity_keeps_its_word_and_gets_the_key_of_its_value(name, sent, key):
    content = symptom(name=name, severity=sent).content
    assert (content["severity"], content.get("severity_key")) == (sent, key)


def test_symptoms_differ_by_name_time_and_source_and_not_by_severity():
    one = symptom()
    assert one.identity == symptom(severity="Severe").identity
    others = [symptom(name="Fever"), symptom(end=None), symptom(source="Watch"), symptom(start="2026-08-07")]
    assert one.identity not in {other.identity for other in others}


def test_an_end_before_the_start_is_flagged():
    assert symptom(end="2026-08-06").flags == ("ends_before_start",)


# Cycle


def test_a_documented_entry_of_the_cycle_is_read():
    record = entry()
    assert (record.kind, record.label, record.end) == (Kind.CYCLE, "Menstrual Flow", None)
    assert record.content == {
        "name": "Menstrual Flow",
        "name_key": "menstrual_flow",
        "value": "Light",
        "value_key": "light",
        "cycle_start": True,
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Menstrual Flow", "menstrual_flow"),
        ("Cervical Mucus Quality", "cervical_mucus_quality"),
        ("Ovulation Test Result", "ovulation_test_result"),
        ("Progesterone Test Result", "progesterone_test_result"),
        ("Pregnancy Test Result", "pregnancy_test_result"),
        ("Sexual Activity", "sexual_activity"),
        ("Pregnancy", "pregnancy"),
        ("Lactation", "lactation"),
        ("Contraceptive", "contraceptive"),
        ("Infrequent Menstrual Cycle", "infrequent_menstrual_cycles"),
        ("Irregular Menstrual Cycle", "irregular_menstrual_cycles"),
        ("Intermenstrual Bleeding", "intermenstrual_bleeding"),
        ("Persistent Menstrual Bleeding", "persistent_intermenstrual_bleeding"),
        ("Prolonged Menstrual Period", "prolonged_menstrual_periods"),
        ("Menstruationsblutung", "menstrual_flow"),
        ("Flujo menstrual", "menstrual_flow"),
        ("妊娠", "pregnancy"),
        ("Basal mood", None),
    ],
)
def test_every_documented_name_of_the_cycle_has_its_key(name, key):
    content = entry(name=name, value=None).content
    assert (content["name"], content.get("name_key")) == (name, key)


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("Menstrual Flow", "None", "none"),
        ("Menstrual Flow", "Stark", "heavy"),
        ("Menstrual Flow", 3, "medium"),
        ("Flujo menstrual", "Abundante", "heavy"),
        ("Cervical Mucus Quality", "Egg White", "egg_white"),
        ("Ovulation Test Result", "Positive", "luteinizing_hormone_surge"),
        ("Ovulationstest", "Positiv", "luteinizing_hormone_surge"),
        ("Pregnancy Test Result", "Positive", "positive"),
        ("Pregnancy Test Result", "阴性", "negative"),
        ("Sexual Activity", "Unprotected", "unprotected"),
        ("Lactation", 0, "not_applicable"),
        ("Basal mood", "Light", "light"),
        ("Menstrual Flow", "torrential", None),
    ],
)
def test_a_value_of_the_cycle_gets_the_word_of_its_own_category(name, value, key):
    content = entry(name=name, value=value).content
    assert (content["value"], content.get("value_key")) == (value, key)


def test_a_corrected_value_is_the_same_entry():
    assert entry().identity == entry(value="Heavy", end=EVENING, isCycleStart=False).identity
    assert entry().identity != entry(name="Lactation").identity


# All of them


@pytest.mark.parametrize("array", BUILDERS)
def test_what_is_not_documented_is_kept_as_it_was_sent(array):
    more = {"metadata": {"note\x00": "\ud800", "n": [1, None]}, "version": 2}
    content = read_one(array, BUILDERS[array](**more, gap=None)).content
    assert content["more"] == storable(more)


@pytest.mark.parametrize(
    ("array", "fields", "reason"),
    [
        *((array, {"start": start}, Reason.BAD_TIMESTAMP) for array in BUILDERS for start in ("soon", 5, [], "0001-01-01")),
        *((array, {"end": 5}, Reason.BAD_TIMESTAMP) for array in BUILDERS),
        *((array, {"source": [1]}, Reason.WRONG_SHAPE) for array in BUILDERS),
        ("stateOfMind", {"valence": 1.01}, Reason.IMPLAUSIBLE_VALUE),
        ("stateOfMind", {"valence": -62}, Reason.IMPLAUSIBLE_VALUE),
        ("stateOfMind", {"valence": "good"}, Reason.NOT_A_NUMBER),
        ("stateOfMind", {"valence": True}, Reason.NOT_A_NUMBER),
        ("stateOfMind", {"id": 17}, Reason.WRONG_SHAPE),
        ("stateOfMind", {"kind": {}}, Reason.WRONG_SHAPE),
        ("stateOfMind", {"labels": "calm"}, Reason.WRONG_SHAPE),
        ("stateOfMind", {"labels": ["calm", 5]}, Reason.WRONG_SHAPE),
        ("stateOfMind", {"associations": {"a": 1}}, Reason.WRONG_SHAPE),
        ("stateOfMind", {"valenceClassification": ["pleasant"]}, Reason.NOT_A_NUMBER),
        ("medications", {"displayText": None}, Reason.MISSING_VALUE),
        ("medications", {"displayText": " "}, Reason.MISSING_VALUE),
        ("medications", {"displayText": 5}, Reason.WRONG_SHAPE),
        ("medications", {"scheduledDate": "some day"}, Reason.BAD_TIMESTAMP),
        ("medications", {"scheduledDate": None, "start": None}, Reason.BAD_TIMESTAMP),
        ("medications", {"status": 1}, Reason.WRONG_SHAPE),
        ("medications", {"dosage": "one"}, Reason.NOT_A_NUMBER),
        ("medications", {"isArchived": "no"}, Reason.WRONG_SHAPE),
        ("medications", {"codings": [5]}, Reason.WRONG_SHAPE),
        ("symptoms", {"name": None}, Reason.MISSING_VALUE),
        ("symptoms", {"name": 5}, Reason.WRONG_SHAPE),
        ("symptoms", {"severity": ["Mild"]}, Reason.WRONG_SHAPE),
        ("symptoms", {"userEntered": "yes"}, Reason.WRONG_SHAPE),
        ("cycleTracking", {"name": ""}, Reason.MISSING_VALUE),
        ("cycleTracking", {"value": 1.5}, Reason.WRONG_SHAPE),
        ("cycleTracking", {"value": ["Light"]}, Reason.NOT_A_NUMBER),
        ("cycleTracking", {"isCycleStart": []}, Reason.WRONG_SHAPE),
    ],
)  # fmt: skip
def test_a_wrong_type_costs_the_item_alone_and_gives_its_reason(array, fields, reason):
    bad, good = BUILDERS[array](**fields), BUILDERS[array]()
    if array == "medications" and fields == {"start": "soon"}:
        good["start"] = EVENING
    reading = read_arrays({array: [bad, good]})
    (found,) = reading.quarantined
    assert (found.reason, found.path, found.item) == (reason, f"data.{array}[0]", bad)
    assert found.detail.endswith(".")
    assert [len(records) for records in reading.records.values()] == [1]
    assert reading.received.total() == 2


def test_a_single_object_in_place_of_an_array_is_one_item():
    reading = read_arrays({"symptoms": a_symptom()})
    assert len(reading.records[Kind.SYMPTOM]) == 1
    assert reading.received == {"symptoms": 1}


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(alphabet=st.characters(), max_size=8)
    | st.sampled_from([EVENING, "2026-08-07", "mcV", "bpm", "Headache", "1e400", 1_786_123_800.5])
)
names = st.sampled_from(
    ["start", "end", "date", "voltage", "units", "hr", "timestamp", "interval", "duration", "name", "source"]
) | st.text(alphabet=st.characters(), max_size=4)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
FIELDS = sorted({name for items in one_of_each().values() for item in items for name in item})


@settings(max_examples=400)
@given(
    array=st.sampled_from(sorted(one_of_each())),
    changes=st.dictionaries(st.sampled_from(FIELDS), anything, max_size=4),
    inner=st.dictionaries(names, anything, max_size=3),
    junk=anything,
)
def test_arbitrary_json_never_raises_and_every_item_is_a_record_or_set_aside_property(
    array, changes, inner, junk
):
    (item,) = one_of_each()[array]
    for nested in ("voltageMeasurements", "heartRateData"):
        if nested in item:
            item[nested] = [*item[nested][:2], item[nested][0] | inner]
    reading = read_arrays({array: [item | changes, junk]})
    found = [record for records in reading.records.values() for record in records]
    assert len(found) + len(reading.quarantined) == reading.received.total() == 2
    for record in found:
        assert record.content == storable(record.content)
        assert len(record.digest) == 32
        f"{record.identity}{record.label}{record.source}{record.flags}".encode()
        for track in record.tracks:
            assert {len(channel) for channel in track.channels.values()} == {
                len(next(iter(track.channels.values())))
            }
            assert len(track.at) in (0, len(next(iter(track.channels.values()))))


def test_every_documented_array_but_metrics_has_a_reader():
    assert set(one_of_each()) | {"workouts"} <= set(READERS)
