"""How hours and days are made of samples: the catalogue's aggregate and the person's order of sources."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.priority import rank
from appliance.domain.truth import Rule
from appliance.storage import priorities

RuleOf = Callable[[str], Rule]

# Categories whose amounts people enter one by one; devices count the rest.
LOGGED = {"nutrition", "reproductive", "other", "respiratory", "mindfulness"}


def rules_of(connection: Connection, person_id: int, catalogue: Catalogue) -> RuleOf:
    """Return the rule of each metric for one person; a metric the catalogue lacks gets no aggregate."""
    orders = priorities.of_person(connection, person_id)

    @cache
    def rule_of(metric: str) -> Rule:
        row = catalogue.metrics.get(metric)
        order = orders.get(row.category if row else "", orders.get("", []))
        return Rule(
            row.aggregate if row else None,
            partial(rank, order=order),
            one_source=row is not None and row.hae_name == "sleep_analysis",
            logged=row is not None and row.category in LOGGED,
        )

    return rule_of
