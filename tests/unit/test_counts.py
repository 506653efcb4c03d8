"""What became of an upload's items is counted once each, and told in one shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.upload import Advice, Automation, Counts, ItemError, Receipt

numbers = st.integers(0, 10**6)
whole = st.builds(lambda *parts: Counts(sum(parts), *parts), numbers, numbers, numbers, numbers, numbers)


def test_nothing_received_adds_up():
    assert Counts().adds_up()


@pytest.mark.parametrize("name", ["stored", "revised", "unchanged", "superseded", "quarantined"])
def test_every_outcome_accounts_for_what_was_received(name):
    assert Counts(received=3, **{name: 3}).adds_up()
    assert not Counts(received=3, **{name: 2}).adds_up()
    assert not Counts(received=2, **{name: 3}).adds_up()


@given(one=whole, other=whole)
def test_counts_of_two_kinds_add_name_by_name_and_still_add_up(one, other):
    both = one + other
    assert both.adds_up()
    assert both.as_dict() == {name: number + other.as_dict()[name] for name, number in one.as_dict().items()}


def test_a_receipt_is_told_as_the_api_promises():
    receipt = Receipt(
        request_id="r-1",
        upload_id=17,
        status="processed",
        counts=Counts(2, stored=1, quarantined=1),
        kinds={"samples": Counts(2, stored=1, quarantined=1)},
        errors=(ItemError("data.metrics[0].data[1]", "bad_timestamp", "The date cannot be read."),),
        advice=(Advice("grain_inferred", "Why.", "How."),),
        processing_ms=92,
    )
    counts = {"received": 2, "stored": 1, "revised": 0, "unchanged": 0, "superseded": 0, "quarantined": 1}
    assert json.loads(json.dumps(receipt.as_dict())) == {
        "request_id": "r-1",
        "upload_id": 17,
        "status": "processed",
        "counts": counts,
        "kinds": {"samples": counts},
        "errors": [
            {
                "path": "data.metrics[0].data[1]",
                "reason": "bad_timestamp",
                "detail": "The date cannot be read.",
            }
        ],
        "advice": [{"code": "grain_inferred", "message": "Why.", "fix": "How.", "automation": None}],
        "processing_ms": 92,
    }


@pytest.mark.parametrize(
    ("period", "whole_days"),
    [
        ("", None),
        ("  ", None),
        ("Today", True),
        ("Default", True),
        ("yesterday", True),
        ("Previous  7 Days", True),
        ("Previous 14 Days", True),
        ("Since Last Sync", False),
        ("Realtime", False),
        ("something new", False),
    ],
)
def test_a_window_is_whole_when_it_begins_at_a_midnight_and_unknown_when_nobody_says(period, whole_days):
    assert Automation(period=period).window_is_whole is whole_days
