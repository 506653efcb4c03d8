"""Symptoms and what is noted of the cycle: `data.symptoms[]` and `data.cycleTracking[]`.

    {"start": …, "end": …, "name": "Headache", "severity": "Mild", "userEntered": true, "source": "Anna's iPhone"}
    {"start": …, "end": null, "name": "Menstrual Flow", "value": "Light", "isCycleStart": true}

Names, severities and values come in the phone's language; they are kept as they came, with the key of the catalogue's
category and of its value beside them where they are known. Source: HAE's documentation and captured uploads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind, Record, natural_identity
from appliance.intake.fields import RecordContext, Unreadable
from appliance.intake.sent import Object, Sent

if TYPE_CHECKING:
    from appliance.catalog.rows import Category

_CAPITAL_WITHIN = re.compile(r"(?<=[a-z])(?=[A-Z])")


def read_symptom(item: Object, position: int, context: RecordContext) -> Record:
    """Read one symptom. Raises `Unreadable`."""
    sent = Sent(item, Kind.SYMPTOM, context)
    name = _name(sent)
    category = _category(sent, name, context)
    start, offset = sent.moment("start")
    end = sent.end(start)
    source = sent.source()
    severity = sent.text("severity")
    content = {
        "name": name,
        "name_key": category and category.key,
        "severity": severity,
        "severity_key": _value_key(sent, "severity", severity, category),
        "user_entered": sent.yes_or_no("userEntered"),
    }
    return Record(
        kind=Kind.SYMPTOM,
        identity=natural_identity(sent.identity("name"), start, end, source),
        label=name,
        source=source,
        start=start,
        end=end,
        offset=offset,
        content=sent.content(content),
        item=position,
        flags=tuple(sent.flags),
    )


def read_cycle_entry(item: Object, position: int, context: RecordContext) -> Record:
    """Read one entry. Raises `Unreadable`."""
    sent = Sent(item, Kind.CYCLE, context)
    name = _name(sent)
    category = _category(sent, name, context)
    start, offset = sent.moment("start")
    end = sent.end(start)
    source = sent.source()
    value = _value(sent)
    content = {
        "name": name,
        "name_key": category and category.key,
        "value": value,
        "value_key": _value_key(sent, "value", None if value is None else str(value), category),
        "cycle_start": sent.yes_or_no("isCycleStart"),
    }
    return Record(
        kind=Kind.CYCLE,
        identity=natural_identity(sent.identity("name"), start, source),
        label=name,
        source=source,
        start=start,
        end=end,
        offset=offset,
        content=sent.content(content),
        item=position,
        flags=tuple(sent.flags),
    )


def _name(sent: Sent) -> str:
    name = sent.text("name")
    if name is None:
        raise Unreadable(Reason.MISSING_VALUE, "The entry has no name.")
    return name


def _value(sent: Sent) -> str | int | None:
    """Return the value, a word or the raw number of Apple's enumeration."""
    value = sent.raw("value")
    if isinstance(value, str) or value is None:
        return sent.text("value")
    number = sent.number("value")
    if number is None or number != round(number):
        raise Unreadable(Reason.WRONG_SHAPE, "“value” is neither a word nor a whole number.")
    return round(number)


def _category(sent: Sent, name: str, context: RecordContext) -> Category | None:
    key = sent.key("name", name)
    return context.catalogue.categories[key] if key else context.catalogue.category(name)


def _value_key(sent: Sent, field: str, word: str | None, category: Category | None) -> str | None:
    """Return the key of a value: the category's own word for it where it has one (a test's “positive” is a surge)."""
    if word is None:
        return None
    key = sent.key(field, word)
    raw = category.raw_value(key or word) if category else None
    if category is None or raw is None:
        return key
    return _CAPITAL_WITHIN.sub("_", category.values[raw]).lower()
