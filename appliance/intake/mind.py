"""States of mind: `data.stateOfMind[]` (iOS 18 and later).

    {"id": …, "start": "2026-08-07T19:12:08Z", "end": …, "kind": "daily_mood", "labels": ["calm"],
     "associations": ["family"], "valence": 0.62, "valenceClassification": "pleasant"}

The classification is documented as a number (1 very unpleasant to 7 very pleasant) and really is a word. Source:
HAE's documentation and captured uploads.
"""

from __future__ import annotations

from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind, Record, natural_identity
from appliance.intake.fields import RecordContext, Unreadable
from appliance.intake.sent import Object, Sent


def read_state_of_mind(item: Object, position: int, context: RecordContext) -> Record:
    """Read one entry. Raises `Unreadable`."""
    sent = Sent(item, Kind.STATE_OF_MIND, context)
    start, offset = sent.moment("start")
    end = sent.end(start)
    source = sent.source()
    kind = sent.word("kind", "kind")
    identity = sent.text("id") and sent.identity("id")
    content = {
        **kind,
        "labels": sent.texts("labels"),
        "associations": sent.texts("associations"),
        "valence": _valence(sent, context),
        **_classification(sent),
    }
    return Record(
        kind=Kind.STATE_OF_MIND,
        identity=natural_identity(identity or natural_identity(start, kind["kind"], source)),
        label=kind["kind_key"] or kind["kind"] or "",
        source=source,
        start=start,
        end=end,
        offset=offset,
        content=sent.content(content),
        item=position,
        flags=tuple(sent.flags),
    )


def _valence(sent: Sent, context: RecordContext) -> float | None:
    valence = sent.number("valence")
    limits = context.catalogue.metrics["state_of_mind_valence"]
    if valence is not None and not limits.plausible_min <= valence <= limits.plausible_max:
        raise Unreadable(Reason.IMPLAUSIBLE_VALUE, "The valence is outside -1 to 1, which is surely wrong.")
    return valence


def _classification(sent: Sent) -> Object:
    classification = sent.raw("valenceClassification")
    if isinstance(classification, str) or classification is None:
        return sent.word("valenceClassification", "valence_classification")
    number = sent.number("valenceClassification")
    key = None if number is None else sent.key("valence_classification", f"{number:g}")
    return {"valence_classification": number, "valence_classification_key": key}
