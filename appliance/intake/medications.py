"""Doses of medication: `data.medications[]` (iOS 26 and later).

    {"displayText": "Vitamin D3 1000 IU", "nickname": …, "start": …, "end": …, "scheduledDate": …, "form": "Tablet",
     "status": "Taken", "isArchived": false, "dosage": 1, "codings": [{"code": …, "system": …, "version": …}]}

There is no id: the name and when it was due (or, unscheduled, taken) tell two doses apart, so that a dose that is taken
late replaces the one not yet taken. The status comes in the phone's language; a skipped dose has a dosage as well.
Source: HAE's documentation and captured uploads.
"""

from __future__ import annotations

from appliance.domain.localday import instant
from appliance.domain.quarantine import Reason
from appliance.domain.record import Kind, Record, natural_identity
from appliance.intake.fields import RecordContext, Unreadable
from appliance.intake.sent import Object, Sent


def read_medication(item: Object, position: int, context: RecordContext) -> Record:
    """Read one dose. Raises `Unreadable`."""
    sent = Sent(item, Kind.MEDICATION, context)
    name, nickname = sent.text("displayText"), sent.text("nickname")
    if name is None and nickname is None:
        raise Unreadable(Reason.MISSING_VALUE, "The medication has no name.")
    scheduled = sent.moment_or_none("scheduledDate")
    taken = sent.moment_or_none("start")
    if scheduled is not None and taken is None:
        sent.flags.append("start_is_scheduled_date")
    start, offset = taken or scheduled or sent.moment("start")
    end = sent.end(start)
    source = sent.source()
    content = {
        "name": name,
        "nickname": nickname,
        **sent.word("status", "status"),
        "scheduled": instant(*scheduled).isoformat() if scheduled else None,
        "form": sent.text("form"),
        "dosage": sent.number("dosage"),
        "archived": sent.yes_or_no("isArchived"),
        "codings": sent.objects("codings"),
    }
    due, _ = scheduled or (start, offset)
    return Record(
        kind=Kind.MEDICATION,
        identity=natural_identity(sent.identity("displayText") or sent.identity("nickname"), due),
        label=name or nickname or "",
        source=source,
        start=start,
        end=end,
        offset=offset,
        content=sent.content(content),
        item=position,
        flags=tuple(sent.flags),
    )
