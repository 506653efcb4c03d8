"""Every metric of the catalogue, in every unit it comes in: from the document that names it to what is shown."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appliance.catalog.load import load_catalogue
from tests.fixtures.documents import document, metric, point, when

CATALOGUE = load_catalogue()
METRICS = list(CATALOGUE.metrics.values())
FIRST_DAY = when("2026-07-01 00:00")
SHARES = (0.4, 0.1, 0.3)  # of the plausible range: the largest first, so that "max" is not "last"


def examples(row):
    """Three plausible values in the canonical unit."""
    return [row.plausible_min + share * (row.plausible_max - row.plausible_min) for share in SHARES]


def units(row):
    return [row.unit, *row.accepted_units]


def name_on_the_phone(row):
    return row.hae_name if CATALOGUE.metric(row.hae_name or "") is row else row.key


def sent(row):
    """One entry per unit, each on a day of its own, three hours a day."""
    for day, unit in enumerate(units(row)):
        conversion = row.conversion(unit)
        points = [
            point(FIRST_DAY + timedelta(days=day, hours=8 + hour), conversion.undo(value))
            for hour, value in enumerate(examples(row))
        ]
        yield metric(name_on_the_phone(row), unit, *points)


def day_of(row):
    """A day's value, by the catalogue's word for it."""
    values = examples(row)
    return {"sum": sum(values), "avg": sum(values) / len(values), "last": values[-1], "max": max(values)}[
        row.aggregate
    ]


def about(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def test_every_metric_in_every_unit_goes_all_the_way(phone):
    body = document(*(entry for row in METRICS for entry in sent(row)))
    receipt = phone.send(body, automation_aggregation="Hours")
    assert receipt["errors"] == []
    assert receipt["counts"]["stored"] == sum(len(entry["data"]) for entry in body["data"]["metrics"])

    held = {told["key"]: told for told in phone.get("/api/v1/metrics")["items"]}
    assert held.keys() == CATALOGUE.metrics.keys()
    for row in METRICS:
        told = held[row.key]
        assert (
            told["name"],
            told["unit"],
            told["kind"],
            told["aggregate"],
            told["decimals"],
            told["known"],
        ) == (
            row.display_name,
            row.unit,
            row.kind,
            row.aggregate,
            row.decimals,
            True,
        )
        assert told["count"] == len(SHARES) * len(units(row))
        assert (told["sources"], told["grains"]) == (["Watch"], ["hour"])

        days = phone.get(f"/api/v1/metrics/{row.key}/series", bucket="day")
        assert [point["value"] for point in days] == [about(day_of(row))] * len(units(row)), row.key
        assert [(point["min"], point["max"], point["count"]) for point in days] == [
            (about(min(examples(row))), about(max(examples(row))), len(SHARES))
        ] * len(units(row)), row.key

        samples = phone.samples(row.key)
        assert [sample["value"] for sample in samples] == [about(v) for v in examples(row)] * len(
            units(row)
        ), row.key
        assert {sample["unit"] for sample in samples} == {row.unit}
        assert samples[0]["start"] == (FIRST_DAY + timedelta(hours=8)).isoformat()


def test_every_metric_refuses_a_unit_that_is_none(phone):
    body = document(*(metric(row.key, "parsecs", point("2026-07-01 08:00", 1)) for row in METRICS))
    receipt = phone.send(body)
    assert receipt["counts"]["quarantined"] == len(METRICS)
    assert {error["reason"] for error in receipt["errors"]} == {"unknown_unit"}


def test_every_metric_refuses_a_value_beyond_its_limits(phone):
    def beyond(row):
        width = row.plausible_max - row.plausible_min
        return [
            point("2026-07-01 08:00", row.plausible_min - width * 0.01 - 0.001),
            point("2026-07-01 09:00", row.plausible_max + width * 0.01 + 0.001),
        ]

    receipt = phone.send(document(*(metric(row.key, row.unit, *beyond(row)) for row in METRICS)))
    assert receipt["counts"]["quarantined"] == 2 * len(METRICS)
    assert {error["reason"] for error in receipt["errors"]} == {"implausible_value"}


def test_every_metric_takes_the_edges_of_its_limits(phone):
    def edges(row):
        return [point("2026-07-01 08:00", row.plausible_min), point("2026-07-01 09:00", row.plausible_max)]

    receipt = phone.send(document(*(metric(row.key, row.unit, *edges(row)) for row in METRICS)))
    assert receipt["counts"]["stored"] == 2 * len(METRICS)


def test_every_compound_reaches_the_metrics_of_its_fields(phone):
    compounds = {}
    for field in CATALOGUE.compound_fields.values():
        compounds.setdefault(field.hae_name, []).append(field)
    for no_quantity in ("sleep_analysis", "stateOfMind"):
        compounds.pop(no_quantity)
    entries = []
    for name, fields in compounds.items():
        values = {f.field: examples(CATALOGUE.metrics[f.key])[0] for f in fields}
        entries.append(metric(name, fields[0].unit, point("2026-07-01 08:00", **values)))
    assert phone.send(document(*entries))["counts"]["stored"] == len(entries)
    for fields in compounds.values():
        for field in fields:
            row = CATALOGUE.metrics[field.key]
            expected = CATALOGUE.metrics[field.key].conversion(fields[0].unit).apply(examples(row)[0])
            assert [sample["value"] for sample in phone.samples(field.key)] == [about(expected)], field.key
