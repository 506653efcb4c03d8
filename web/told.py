"""What a phone tells in its own words, as a page shows it: known words in English, unknown ones as they came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from appliance.domain.quarantine import Reason


@dataclass(frozen=True, slots=True)
class Word:
    """A word to show, and as the phone spelt it where that differs (another language)."""

    text: str
    told_as: str = ""


# What a word's key alone would say badly.
_PHRASES = {
    "not_interacted": "Not answered",
    "not_logged": "Not logged",
    "notification_not_sent": "Not reminded",
    "inconclusive_high_heart_rate": "Inconclusive: high heart rate",
    "inconclusive_low_heart_rate": "Inconclusive: low heart rate",
    "inconclusive_poor_recording": "Inconclusive: poor recording",
    "inconclusive_other": "Inconclusive: another reason",
    "momentary_emotion": "Emotion",
    "high": "High heart rate",
    "low": "Low heart rate",
    "irregular": "Irregular rhythm",
}

FLAGS = {
    "no_voltages": "It came without its voltages.",
    "ends_before_start": "Its end lies before its start.",
    "start_is_scheduled_date": "When it was taken was not told; the time shown is when it was due.",
    "kind_derived": "Of what kind it is was not told; it follows from threshold and readings.",
    "readings_not_read": "Its readings came in a form we do not know; they are kept as they came.",
    "reading_times_unclear": "The times of its readings are not clear.",
    "implausible_heart_rate": "Some of its readings cannot be right.",
    "implausible_heart_rate_variability": "Some of its readings cannot be right.",
}

# What to do about what was set aside.
MENDS = {
    Reason.BAD_TIMESTAMP: "Its time could not be read. If every item says so, update Health Auto Export and send again.",
    Reason.UNKNOWN_UNIT: "Turn off Use Localized Units in the app's settings, send again, then read this upload again.",
    Reason.NOT_A_NUMBER: "The value is no number. Nothing to do unless it comes often; then report it.",
    Reason.MISSING_VALUE: "The item tells nothing that could be kept. Nothing to do.",
    Reason.IMPLAUSIBLE_VALUE: "No body does that. If the value is right, report it; it is kept meanwhile.",
    Reason.WRONG_SHAPE: "The item is not built as the app's documentation says. Update Health Auto Export and send again.",
    Reason.NOT_READ_YET: "Hearthbeat does not know this kind of data yet. It is kept, and read once a version knows it.",
}


def word(content: Mapping[str, Any], field: str) -> Word:
    """Return a field of a record's content as a word; an empty one where nothing was told."""
    told = content.get(field)
    text = "" if told is None else str(told)
    key = content.get(f"{field}_key")
    if not isinstance(key, str):
        return Word(text)
    known = _PHRASES.get(key) or key.replace("_", " ").capitalize()
    same = text.replace("_", " ").casefold() in (known.casefold(), key.replace("_", " "))
    return Word(known, "" if same else text)


def flags(names: list[str]) -> list[str]:
    """Return what is odd about a record, in sentences."""
    return list(dict.fromkeys(FLAGS.get(name, name.replace("_", " ").capitalize() + ".") for name in names))


def reason_words(reason: str) -> str:
    """Return why something was set aside, as a heading."""
    return reason.replace("_", " ").capitalize()


def mend(reason: str) -> str:
    """Return what to do about what was set aside for a reason."""
    return MENDS[Reason(reason)] if reason in {each.value for each in Reason} else ""
