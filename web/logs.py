"""The logs: state of mind, medications, symptoms and cycle, each as rows by day, tallies and a strip along time.

Every word in a record's content may be anything a phone sends; it is only ever shown as text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row

from appliance.domain.localday import instant, microseconds
from appliance.domain.record import Kind
from web.strips import Mark
from web.told import Word, flags, word

MOST_TALLIES = 10
_SEVERITIES = {"not_present": 0, "no_change": 0, "mild": 1, "moderate": 2, "severe": 3}
_FLOWS = {"none": 0, "light": 1, "medium": 2, "heavy": 3}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as a line of a log. `at` is where the person was; `level` goes from 0 to 3 where there is one."""

    record_id: int
    kind: Kind
    at: datetime
    name: Word
    value: Word
    level: int | None = None
    is_open: bool = False
    number: float | None = None
    remarks: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    source: str = ""

    @property
    def mark(self) -> Mark:
        """The entry on a strip."""
        words = f"{self.at.day} {self.at:%B}: {self.value.text or 'noted'}"
        level = 2 if self.level is None else self.level
        return Mark(self.name.text, self.at.date(), level, words, self.is_open)


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something was told."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Day:
    """The entries of one local day, in the order of the day."""

    day: date
    entries: list[Entry]


def local(at: datetime, offset_s: int) -> datetime:
    """Return an instant where the person was."""
    return instant(microseconds(at), offset_s)


def entry_of(row: Row[Any]) -> Entry:
    """Return a record of any kind as a line."""
    return _READERS.get(Kind(row.kind), _other)(row)


def by_day(entries: Sequence[Entry]) -> list[Day]:
    """Return entries by local day, the newest day first."""
    days: dict[date, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.at):
        days.setdefault(entry.at.date(), []).append(entry)
    return [Day(day, days[day]) for day in sorted(days, reverse=True)]


def tallies(kind: Kind, entries: Sequence[Entry]) -> list[Tally]:
    """Return what the entries come to, most first."""
    return {
        Kind.STATE_OF_MIND: _tallied_labels,
        Kind.MEDICATION: _tallied_doses,
        Kind.CYCLE: _tallied_starts,
    }.get(kind, _tallied_days)(entries)


def _mood(row: Row[Any]) -> Entry:
    content = row.content
    remarks = [f"About {', '.join(told)}"] if (told := _texts(content.get("associations"))) else []
    valence = content.get("valence")
    return _entry(
        row,
        word(content, "kind"),
        word(content, "valence_classification"),
        number=valence if isinstance(valence, int | float) else None,
        remarks=remarks,
        labels=_texts(content.get("labels")),
    )


def _dose(row: Row[Any]) -> Entry:
    content = row.content
    key = content.get("status_key")
    remarks = []
    dosage = content.get("dosage")
    # The phone tells a dosage of skipped doses as well.
    if key == "taken" and isinstance(dosage, int | float):
        remarks.append(f"{dosage:g} {content.get('form') or 'dose'}{'' if dosage == 1 else 's'}")
    if scheduled := _clock(content.get("scheduled")):
        remarks.append(f"due {scheduled}")
    elif key == "taken":
        remarks.append("without a schedule")
    if content.get("archived") is True:
        remarks.append("archived")
    level = {"taken": 3, "skipped": 3}.get(str(key), 1)
    name = Word(row.label or "Medication", str(content.get("nickname") or ""))
    return _entry(row, name, word(content, "status"), level=level, is_open=key != "taken", remarks=remarks)


def _symptom(row: Row[Any]) -> Entry:
    content = row.content
    severity = word(content, "severity")
    level = _SEVERITIES.get(str(content.get("severity_key")), 1 if content.get("severity_key") else None)
    remarks = [] if content.get("user_entered") is not False else ["not entered by hand"]
    return _entry(row, word(content, "name"), severity, level=level, is_open=level == 0, remarks=remarks)


def _cycle(row: Row[Any]) -> Entry:
    content = row.content
    value = word(content, "value")
    level = _FLOWS.get(str(content.get("value_key"))) if content.get("name_key") == "menstrual_flow" else None
    if content.get("value_key") in {"negative", "not_present"}:
        level = 0
    remarks = ["first day of a cycle"] if content.get("cycle_start") is True else []
    return _entry(row, word(content, "name"), value, level=level, is_open=level == 0, remarks=remarks)


def _other(row: Row[Any]) -> Entry:
    content = row.content
    if row.kind == Kind.ECG:
        rate = content.get("average_heart_rate")
        told = f"{rate:.0f} bpm" if isinstance(rate, int | float) else ""
        return _entry(row, Word("ECG"), word(content, "classification"), remarks=[told] if told else [])
    threshold = content.get("threshold")
    told = f"threshold {threshold:g} bpm" if isinstance(threshold, int | float) else ""
    return _entry(row, notification(row), Word(""), remarks=[told] if told else [])


def notification(row: Row[Any]) -> Word:
    """Return what a heart notification was about."""
    content = row.content
    if isinstance(key := content.get("kind"), str):
        return word({"kind": "", "kind_key": key}, "kind")
    return Word(str(content.get("notification") or "Heart notification"))


_READERS: dict[Kind, Callable[[Row[Any]], Entry]] = {
    Kind.STATE_OF_MIND: _mood,
    Kind.MEDICATION: _dose,
    Kind.SYMPTOM: _symptom,
    Kind.CYCLE: _cycle,
}


def _entry(
    row: Row[Any],
    name: Word,
    value: Word,
    *,
    level: int | None = None,
    is_open: bool = False,
    number: float | None = None,
    remarks: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Entry:
    return Entry(
        row.record_id,
        Kind(row.kind),
        local(row.start_at, row.utc_offset),
        name if name.text else Word("Noted"),
        value,
        level,
        is_open,
        number,
        [*remarks, *flags(row.flags)],
        list(labels),
        row.source,
    )


def _texts(told: Any) -> list[str]:
    return (
        [text.replace("_", " ") for text in told if isinstance(text, str)] if isinstance(told, list) else []
    )


def _clock(told: Any) -> str:
    try:
        return f"{datetime.fromisoformat(told):%H:%M}"
    except (TypeError, ValueError):
        return ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _tallied_labels(entries: Sequence[Entry]) -> list[Tally]:
    counted = Counter(label for entry in entries for label in entry.labels)
    return [Tally(label, _times(count)) for label, count in counted.most_common(MOST_TALLIES)]


def _tallied_doses(entries: Sequence[Entry]) -> list[Tally]:
    doses: dict[str, list[Entry]] = {}
    for entry in entries:
        doses.setdefault(entry.name.text, []).append(entry)
    found = []
    for name, told in sorted(doses.items(), key=lambda each: (-len(each[1]), each[0]))[:MOST_TALLIES]:
        taken = sum(not entry.is_open for entry in told)
        scheduled = any(remark.startswith("due ") for entry in told for remark in entry.remarks)
        found.append(
            Tally(name, f"{taken:,} of {len(told):,} taken" if scheduled else f"taken {_times(taken)}")
        )
    return found


def _tallied_days(entries: Sequence[Entry]) -> list[Tally]:
    days: dict[str, set[date]] = {}
    for entry in entries:
        if entry.level != 0:
            days.setdefault(entry.name.text, set()).add(entry.at.date())
    ordered = sorted(days.items(), key=lambda each: (-len(each[1]), each[0]))
    return [
        Tally(name, "on one day" if len(told) == 1 else f"on {len(told):,} days")
        for name, told in ordered[:MOST_TALLIES]
    ]


def _tallied_starts(entries: Sequence[Entry]) -> list[Tally]:
    """Return the first days of cycles and how long after the one before; nothing about those to come."""
    starts = sorted({entry.at.date() for entry in entries if "first day of a cycle" in entry.remarks})
    told = []
    for before, start in zip([None, *starts], starts, strict=False):
        words = (
            "first one in this time"
            if before is None
            else f"{(start - before).days} days after the one before"
        )
        told.append(Tally(f"Cycle began {start.day} {start:%B %Y}", words))
    return [*reversed(told[-MOST_TALLIES:])] or _tallied_days(entries)
