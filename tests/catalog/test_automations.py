"""The automations a phone is given."""

from __future__ import annotations

import pytest

from appliance.catalog.automations import AUTOMATIONS
from appliance.catalog.load import load_catalogue

METRICS = [(kind, name) for kind in AUTOMATIONS.values() for name in kind.metrics]


@pytest.mark.parametrize(("kind", "name"), METRICS, ids=[name for _, name in METRICS])
def test_every_metric_asked_for_is_known_and_comes_grouped_as_it_must(kind, name):
    catalogue = load_catalogue()
    metric = catalogue.metric(name)
    assert metric or catalogue.compound(name.lower().replace(" ", "_")) or name == "Sleep Analysis"
    if metric is not None and kind.parameters["aggregatedata"] == "true":
        assert metric.kind == "cumulative"


def test_no_metric_is_asked_for_twice():
    names = [name for _, name in METRICS]
    assert len(names) == len(set(names))


def test_sleep_is_summarised_exactly_where_all_else_is():
    for kind in AUTOMATIONS.values():
        if kind.metrics:
            assert kind.parameters["aggregatedata"] == kind.parameters["aggregatesleep"]
