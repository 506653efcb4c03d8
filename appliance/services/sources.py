"""The devices and apps that tell, and which of them a person believes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from appliance.catalog.load import Catalogue
from appliance.domain.priority import rank
from appliance.domain.sample import normalise_source, source_parts
from appliance.foundation.errors import BadQuery
from appliance.services.resolving import resolve_again
from appliance.services.rules import rules_of
from appliance.storage import priorities, series
from appliance.storage.database import Database, lock_person

MOST_NAMES = 200

log = structlog.get_logger("hearthbeat.sources")


@dataclass(frozen=True, slots=True)
class CategoryOrder:
    """The single devices and apps that tell of a category, the most trusted first; `is_own` if the person chose so."""

    category: str
    names: tuple[str, ...]
    is_own: bool


@dataclass(frozen=True, slots=True)
class Reordered:
    """What a new order did to history: days whose numbers changed, by metric."""

    category: str
    names: tuple[str, ...]
    days_changed: dict[str, int]


class Sources:
    """Shows and sets the order of sources."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    def orders(self, person_id: int) -> list[CategoryOrder]:
        """Return the order in force for every category of which anything is held."""
        with self._database.transaction() as connection:
            held = series.held_metrics(connection, person_id)
            own = priorities.of_person(connection, person_id)
        names: dict[str, set[str]] = {}
        for metric in held:
            parts = {part for source in metric.sources for part in source_parts(source)}
            names.setdefault(self._category(metric.metric), set()).update(parts)
        orders = []
        for category in sorted(names):
            order = own.get(category, own.get("", []))
            ranked = sorted(names[category], key=lambda name: (rank(name, order), name))
            orders.append(CategoryOrder(category, tuple(ranked), bool(order)))
        return orders

    def reorder(self, person_id: int, category: str, names: Sequence[str]) -> Reordered:
        """Set which sources come first in a category ("" for all without an order of their own).

        History is resolved again from the stored samples at once, without any upload. Raises `BadQuery` for an
        unknown category or too many names.
        """
        if category and category not in {metric.category for metric in self._catalogue.metrics.values()}:
            raise BadQuery(f"There is no category “{category[:60]}”.")
        if len(names) > MOST_NAMES:
            raise BadQuery(f"An order has at most {MOST_NAMES} names.")
        order = tuple(dict.fromkeys(filter(None, (normalise_source(name) for name in names))))
        with self._database.transaction() as connection:
            lock_person(connection, person_id)
            priorities.replace(connection, person_id, category, order)
            held = [metric.metric for metric in series.held_metrics(connection, person_id)]
            touched = [metric for metric in held if not category or self._category(metric) == category]
            changed = resolve_again(
                connection, person_id, rules_of(connection, person_id, self._catalogue), touched
            )
        log.info("sources_reordered", category=category or "all", metrics=len(touched))
        return Reordered(category, order, {metric: days for metric, days in changed.items() if days})

    def _category(self, metric: str) -> str:
        row = self._catalogue.metrics.get(metric)
        return row.category if row else "new"
