"""Taking back an import: what came with its upload goes, and what it had replaced stands again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.record import Kind
from appliance.domain.sample import SeriesKey
from appliance.domain.upload import Upload
from appliance.services.resolving import DAYS_AT_ONCE, resolve_days, rewrite
from appliance.services.rules import RuleOf, rules_of
from appliance.services.sleeping import Sleeping, is_derived
from appliance.storage import quarantine, removal, series, uploads
from appliance.storage.series import SeriesState


def take_back(connection: Connection, upload: Upload, catalogue: Catalogue) -> None:
    """Remove everything that came with an upload, with the values it had replaced put back, and the days made true again.

    The caller holds the person's lock.
    """
    person_id, upload_id = upload.person_id, upload.upload_id
    rule_of = rules_of(connection, person_id, catalogue)
    states = series.of_person(connection, person_id, None)
    touched: dict[SeriesKey, set[int]] = {}
    for key, state in states.items():
        _, days = removal.take_back_everything(connection, person_id, upload_id, state.series_id)
        touched[key] = set(days)
    records_told = removal.records_of(connection, person_id, upload_id)
    but_sleep = [record_id for (kind, _), record_id in records_told.items() if kind != Kind.SLEEP]
    removal.remove_records(connection, person_id, but_sleep)
    removal.forget_earlier_records(connection, person_id, upload_id)
    Sleeping(connection, upload, catalogue, rule_of).take_back(())
    for key, state in states.items():
        if is_derived(key, catalogue):  # nights that nobody tells any more are told as nothing
            touched[key].update(removal.remove_empty(connection, person_id, upload_id, state.series_id))
    if not quarantine.take_back(connection, person_id, upload_id):
        uploads.drop_body(connection, person_id, upload_id)
    _resolve_again(connection, person_id, rule_of, states, touched)


def _resolve_again(
    connection: Connection,
    person_id: int,
    rule_of: RuleOf,
    states: Mapping[SeriesKey, SeriesState],
    touched: Mapping[SeriesKey, set[int]],
) -> None:
    changed: dict[str, set[int]] = defaultdict(set)
    for key, days in touched.items():
        if days:
            removal.refresh_series(connection, person_id, [states[key].series_id])
            changed[key.metric] |= days
    for metric, numbers in changed.items():
        fresh = series.of_person(connection, person_id, [metric])
        ordered = sorted(numbers)
        for begin in range(0, len(ordered), DAYS_AT_ONCE):
            days_of_metric = {metric: set(ordered[begin : begin + DAYS_AT_ONCE])}
            resolved = resolve_days(connection, person_id, rule_of, fresh, days_of_metric)
            rewrite(connection, person_id, resolved, days_of_metric)
