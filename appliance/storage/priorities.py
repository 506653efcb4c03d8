"""Which sources a person believes first, by category of metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from appliance.storage.tables import source_priority


def of_person(connection: Connection, person_id: int) -> dict[str, list[str]]:
    """Return the ordered names by category; the category "" holds for all that have none of their own."""
    rows = connection.execute(
        select(source_priority.c.category, source_priority.c.name)
        .where(source_priority.c.person_id == person_id)
        .order_by(source_priority.c.category, source_priority.c.position)
    )
    orders: dict[str, list[str]] = defaultdict(list)
    for category, name in rows:
        orders[category].append(name)
    return dict(orders)


def replace(connection: Connection, person_id: int, category: str, names: Sequence[str]) -> None:
    """Set the order of one category; an empty one removes it."""
    connection.execute(
        delete(source_priority).where(
            source_priority.c.person_id == person_id, source_priority.c.category == category
        )
    )
    if names:
        connection.execute(
            insert(source_priority),
            [
                {"person_id": person_id, "category": category, "position": position, "name": name}
                for position, name in enumerate(names)
            ],
        )
