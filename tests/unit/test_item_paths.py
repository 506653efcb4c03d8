"""The path a receipt or the quarantine tells leads back to the item."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.intake.document import Document
from appliance.intake.paths import item_at
from tests.builders import read_arrays

ARRAYS = {
    "metrics": [{"name": "a", "data": [{"qty": 1}, {"qty": 2}]}],
    "ecg": {"start": 1},
    "odd.name[0]": [5, {"x": 6}],
    "odd": {"name": [7]},
}


@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("data.metrics[0].data[1]", {"qty": 2}),
        ("data.metrics[0]", ARRAYS["metrics"][0]),
        ("data.metrics", ARRAYS["metrics"]),
        ("data.ecg", {"start": 1}),
        ("data.odd.name[0][1]", {"x": 6}),
        ("data.odd.name[0]", ARRAYS["odd.name[0]"]),
        ("data", ARRAYS),
    ],
)
def test_a_path_leads_to_its_item(path, item):
    assert item_at(Document(ARRAYS), path) == item


@pytest.mark.parametrize(
    "path",
    ["", "ecg", "data.none", "data.metrics[1]", "data.metrics[-1]", "data.metrics[0].data[1].qty.x", "data.ecg[0]",
     "data.metrics[0]x", "data..ecg", "data.metrics[99999999999]"],
)  # fmt: skip
def test_a_path_to_nothing_is_a_lookup_error(path):
    with pytest.raises(LookupError):
        item_at(Document(ARRAYS), path)


@given(
    arrays=st.dictionaries(
        st.text(alphabet="ab.[]01\x00", max_size=4),
        st.lists(st.integers(), max_size=3) | st.integers(),
        max_size=4,
    )
)
def test_every_path_that_reading_tells_leads_back_property(arrays):
    for found in read_arrays(arrays).quarantined:
        assert item_at(Document(arrays), found.path) == found.item
