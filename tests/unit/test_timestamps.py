"""Every spelling of a date the phone uses is read to the same instant; anything else is refused, never guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.sample import local_day
from appliance.intake.timestamps import BadTimestamp, Timestamps
from tests.builders import BERLIN, instant, offset_of

NARROW = "\u202f"
ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def read(text: object, zone: ZoneInfo = BERLIN) -> tuple[int, int]:
    return Timestamps(zone).read(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-08-07 10:00:00 +0200", "2026-08-07T10:00:00+02:00"),
        ("2026-08-07 00:00:00 -0330", "2026-08-07T00:00:00-03:30"),
        ("2024-02-06 2:30:00 PM -0800", "2024-02-06T14:30:00-08:00"),
        ("2024-09-28 4:51:59 pm +1000", "2024-09-28T16:51:59+10:00"),
        (f"2024-09-21 7:57:00{NARROW}am +1000", "2024-09-21T07:57:00+10:00"),
        ("2024-09-21 07:57:00\u00a0a.m. +1000", "2024-09-21T07:57:00+10:00"),
        ("2024-09-21 7:57:00 P.M. +1000", "2024-09-21T19:57:00+10:00"),
        ("2024-09-21 7:57:00pm +1000", "2024-09-21T19:57:00+10:00"),
        ("2024-09-21 12:00:00 am +0000", "2024-09-21T00:00:00+00:00"),
        ("2024-09-21 12:30:00 AM +0000", "2024-09-21T00:30:00+00:00"),
        (f"2024-09-21 12:00:00{NARROW}PM +0000", "2024-09-21T12:00:00+00:00"),
        ("2024-09-21 11:59:59 pm +0000", "2024-09-21T23:59:59+00:00"),
        ("٢٠٢٦-٠٨-٠٧ ١٠:٠٠:٠٠ +٠٢٠٠", "2026-08-07T10:00:00+02:00"),
        ("٢٠٢٦-٠٨-٠٧ ١٠:٠٠:٠٠ +0200", "2026-08-07T10:00:00+02:00"),
        ("2026-08-07 10:00:00 +02:00", "2026-08-07T10:00:00+02:00"),
        ("2026-08-07T10:00:00+02:00", "2026-08-07T10:00:00+02:00"),
        ("2025-12-07T13:32:10Z", "2025-12-07T13:32:10+00:00"),
        ("2025-12-07T13:32:10z", "2025-12-07T13:32:10+00:00"),
        ("2024-02-06 14:30:00.000 -0800", "2024-02-06T14:30:00-08:00"),
        ("2024-02-06T14:30:00.123456789Z", "2024-02-06T14:30:00.123456+00:00"),
        ("2024-02-06T14:30:00,5Z", "2024-02-06T14:30:00.500000+00:00"),
        ("2024-02-06 14:30 +0100", "2024-02-06T14:30:00+01:00"),
        ("2024-2-6 9:05:00 -0800", "2024-02-06T09:05:00-08:00"),
        ("2026-08-07 10:00:00 \N{MINUS SIGN}0200", "2026-08-07T10:00:00-02:00"),
        ("  2026-08-07 10:00:00 +0200\n", "2026-08-07T10:00:00+02:00"),
        ("2026-08-07 10:00:00 +1400", "2026-08-07T10:00:00+14:00"),
        ("2026-08-07 10:00:00 +0545", "2026-08-07T10:00:00+05:45"),
        ("2024-02-29 10:00:00 +0000", "2024-02-29T10:00:00+00:00"),
    ],
)
def test_every_spelling_seen_is_read(text, meant):
    assert read(text) == (instant(meant), offset_of(meant))


moments = st.builds(
    lambda at, minutes: at.replace(microsecond=0).astimezone(timezone(timedelta(minutes=minutes))),
    st.integers(instant("1902-01-01T00:00:00Z"), instant("2099-12-30T00:00:00Z")).map(
        lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    ),
    st.integers(-12 * 60, 14 * 60),
)


def spellings(at: datetime) -> list[str]:
    day, offset = f"{at:%Y-%m-%d}", f"{at:%z}"
    norm = f"{day} {at:%H:%M:%S} {offset}"
    hour, clock, half = at.hour % 12 or 12, f"{at:%M:%S}", "PM" if at.hour >= 12 else "AM"
    dotted = f"{half[0]}.M."
    return [
        norm,
        norm.translate(ARABIC_DIGITS),
        f"{day}T{at:%H:%M:%S}{offset[:3]}:{offset[3:]}",
        f"{day} {at:%H:%M:%S}.000 {offset}",
        f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        f"{day} {hour:02}:{clock} {half} {offset}",
        *(
            f"{day} {hour}:{clock}{space}{word} {offset}"
            for space in (" ", NARROW, "\u00a0", "")
            for word in (half, half.lower(), dotted, dotted.lower())
        ),
    ]


@given(at=moments)
def test_one_instant_in_every_spelling_is_one_instant(at):
    expected = instant(at.isoformat()), offset_of(at.isoformat())
    for text in spellings(at):
        offset = 0 if text.endswith("Z") else expected[1]
        assert read(text) == (expected[0], offset), text


@given(ats=st.lists(moments, min_size=1, max_size=20))
def test_reading_all_at_once_is_reading_one_by_one(ats):
    texts = [f"{at:%Y-%m-%d %H:%M:%S %z}" for at in ats]
    starts, offsets, days = Timestamps(BERLIN).read_all(texts)
    assert list(zip(starts, offsets, strict=True)) == [read(text) for text in texts]
    assert days == [local_day(start, offset) for start, offset in zip(starts, offsets, strict=True)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "now",
        "today",
        "0000-00-00 00:00:00 +0000",
        "0001-01-01 00:00:00 +0000",
        "9999-12-31 23:59:59 +0000",
        "2026-02-30 10:00:00 +0200",
        "2025-02-29 10:00:00 +0200",
        "2026-13-01 10:00:00 +0200",
        "2026-00-10 10:00:00 +0200",
        "2026-08-07 25:00:00 +0200",
        "2026-08-07 24:00:00 +0200",
        "2026-08-07 10:60:00 +0200",
        "2026-08-07 10:00:60 +0200",
        "2026-08-07 13:00:00 PM +0200",
        "2026-08-07 0:30:00 AM +0200",
        "2026-08-07 10:00:00 +9900",
        "2026-08-07 10:00:00 +99:00",
        "2026-08-07 10:00:00 -1601",
        "2026-08-07 10:00:00 +0260",
        "2026-08-07 10:00:00 +02:99",
        "2026-08-07 10:00:00 p +0200",
        "2026-08-07 10:00:00 CEST",
        "2026-08-07 10:00:00 +0200 and more",
        "07/08/2026 10:00",
        "1188745353.99",
        "2026-08-07" + "1" * 10_000,
        " " * 10_000,
    ],
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(BadTimestamp):
        read(text)


def test_a_refusal_says_what_is_wrong():
    with pytest.raises(BadTimestamp, match="the year 9999 is out of range"):
        read("9999-12-31 23:59:59 +0000")
    with pytest.raises(BadTimestamp, match="no such offset"):
        read("2026-08-07 10:00:00 +9900")
    with pytest.raises(BadTimestamp, match="there is no date"):
        read(None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
almost_dates = st.from_regex(
    r"\d{4}-\d\d-\d\d[ T]\d{1,2}:\d\d(:\d\d)? ?([AaPp][Mm])? ?([+-]\d{4}|Z)?", fullmatch=True
)


@given(anything=json_values | almost_dates | st.text())
def test_anything_at_all_is_a_date_or_a_bad_timestamp(anything):
    try:
        start, offset = read(anything)
    except BadTimestamp:
        return
    assert isinstance(anything, str)
    # It is the written time and no other: the year stands in the text, in whatever digits.
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=start, seconds=offset)
    assert int(anything.strip()[:4]) == local.year


def test_the_present_is_never_put_in_place_of_a_date():
    for text in (None, "", "0", 0, 1_700_000_000, [], {}, False):
        with pytest.raises(BadTimestamp):
            read(text)


@pytest.mark.parametrize(
    ("text", "zone", "meant"),
    [
        ("2026-08-07", "Europe/Berlin", "2026-08-07T00:00:00+02:00"),
        ("2026-01-07", "Europe/Berlin", "2026-01-07T00:00:00+01:00"),
        ("2026-08-07 10:00:00", "Asia/Kolkata", "2026-08-07T10:00:00+05:30"),
        ("2026-08-07 10:00:00 pm", "America/Los_Angeles", "2026-08-07T22:00:00-07:00"),
        # Berlin puts its clocks forward at 02:00 on 29 March 2026 and back at 03:00 on 25 October 2026.
        ("2026-03-29 01:59:59", "Europe/Berlin", "2026-03-29T01:59:59+01:00"),
        ("2026-03-29 03:00:00", "Europe/Berlin", "2026-03-29T03:00:00+02:00"),
        ("2026-10-25 01:59:59", "Europe/Berlin", "2026-10-25T01:59:59+02:00"),
        ("2026-10-25 02:30:00", "Europe/Berlin", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25 03:00:00", "Europe/Berlin", "2026-10-25T03:00:00+01:00"),
    ],
)
def test_a_date_without_offset_is_the_persons_own_time(text, zone, meant):
    assert read(text, ZoneInfo(zone)) == (instant(meant), offset_of(meant))


def test_a_day_that_begins_without_a_midnight_stays_its_own_day():
    # In Beirut the clocks go from 00:00 to 01:00 on 29 March 2026: that midnight does not exist.
    start, offset = read("2026-03-29", ZoneInfo("Asia/Beirut"))
    assert local_day(start, offset) == (date(2026, 3, 29) - date(1970, 1, 1)).days
