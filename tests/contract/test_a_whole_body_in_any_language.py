"""One body with all eight arrays and a ninth nobody knows, as phones of four languages send it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.fixtures.records import a_cycle_entry, a_dose, a_mood, a_real_notification, a_symptom, an_ecg


@dataclass(frozen=True)
class Words:
    """What a phone of one language says where the app translates."""

    watch: str
    steps: str
    deep: str
    core: str
    run: str
    outside: str
    sinus: str
    taken: str
    headache: str
    mild: str


LANGUAGES = {
    "English": Words(
        "Anna’s Apple\u00a0Watch", "count", "Deep", "Core", "Outdoor Run", "Outdoor", "Sinus Rhythm", "Taken",
        "Headache", "Mild",
    ),
    "German": Words(
        "Annas Apple\u00a0Watch", "count", "Tief", "Kern", "Outdoor Radfahren", "Draußen", "Sinusrhythmus",
        "Eingenommen", "Kopfschmerzen", "Leicht",
    ),
    "Spanish": Words(
        "Apple Watch de Anna", "count", "Profundo", "Core", "Carrera al aire libre", "Exterior", "Ritmo Sinusal",
        "Tomado", "Dolor de cabeza", "Leve",
    ),
    "Chinese": Words(
        "Anna的Apple Watch", "步", "深度", "核心", "户外 步行", "户外", "窦性心律", "已服用", "头痛", "轻微"
    ),
}  # fmt: skip


def body(words: Words) -> dict:
    def segment(start: str, end: str, stage: str) -> dict:
        return {"startDate": start, "endDate": end, "value": stage, "source": words.watch, "date": None}

    return {
        "data": {
            "metrics": [
                {
                    "name": "step_count",
                    "units": words.steps,
                    "data": [{"date": "2026-08-07 10:00:00 +0200", "qty": 512.25, "source": words.watch}],
                },
                {
                    "name": "sleep_analysis",
                    "units": "hr",
                    "data": [
                        segment("2026-08-06 23:00:00 +0200", "2026-08-07 02:00:00 +0200", words.core),
                        segment("2026-08-07 02:00:00 +0200", "2026-08-07 03:00:00 +0200", words.deep),
                    ],
                },
            ],
            "workouts": [
                {
                    "id": "6F2C",
                    "name": words.run,
                    "start": "2026-08-07 18:00:00 +0200",
                    "end": "2026-08-07 18:30:00 +0200",
                    "duration": 1800,
                    "location": words.outside,
                    "activeEnergyBurned": {"qty": 1424, "units": "kJ"},
                    "stepCount": [
                        {
                            "date": "2026-08-07 18:00:00 +0200",
                            "qty": 160,
                            "units": words.steps,
                            "source": words.watch,
                        }
                    ],
                }
            ],
            "ecg": [an_ecg(classification=words.sinus)],
            "heartRateNotifications": [a_real_notification()],
            "stateOfMind": [a_mood()],
            "medications": [a_dose(status=words.taken)],
            "symptoms": [a_symptom(name=words.headache, severity=words.mild)],
            "cycleTracking": [a_cycle_entry()],
            "breathPrints": [{"when": "2026-08-07"}],
        }
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_but_the_unknown_array_comes_back(phone, language):
    words = LANGUAGES[language]
    receipt = phone.send(body(words), automation_aggregation="Hours")
    assert (receipt["counts"]["received"], receipt["counts"]["stored"]) == (11, 10)
    assert [(error["path"], error["reason"]) for error in receipt["errors"]] == [
        ("data.breathPrints[0]", "not_read_yet")
    ]
    assert phone.days("step_count") == {"2026-08-07": 512.25}
    (night,) = phone.get("/api/v1/sleep")["items"]
    assert (night["date"], night["hours"]["core"], night["hours"]["deep"]) == ("2026-08-07", 3, 1)
    (workout,) = phone.get("/api/v1/workouts")["items"]
    assert workout["name"] == words.run
    assert workout["tracks"] == ["step_count"]
    assert phone.get(f"/api/v1/workouts/{workout['id']}")["content"]["active_energy_kcal"] == pytest.approx(
        340.3, 0.001
    )
    (ecg,) = phone.get("/api/v1/records/ecg")["items"]
    assert (ecg["content"]["classification"], ecg["content"]["classification_key"]) == (
        words.sinus,
        "sinus_rhythm",
    )
    (dose,) = phone.get("/api/v1/records/medications")["items"]
    assert (dose["content"]["status"], dose["content"]["status_key"]) == (words.taken, "taken")
    (symptom,) = phone.get("/api/v1/records/symptoms")["items"]
    assert (symptom["content"]["name"], symptom["content"]["severity_key"]) == (words.headache, "mild")
    for kind in ("heart_notifications", "state_of_mind", "cycle"):
        assert len(phone.get(f"/api/v1/records/{kind}")["items"]) == 1
    again = phone.send(body(words), automation_aggregation="Hours")
    assert (again["status"], again["counts"]["unchanged"], again["counts"]["quarantined"]) == (
        "unchanged",
        10,
        1,
    )
