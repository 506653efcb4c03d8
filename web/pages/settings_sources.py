"""Which device or app is believed first, for each category of metrics.

A new order is put together first, in the address and without changing anything; using it works history out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request

from appliance.catalog.load import Catalogue
from appliance.foundation.errors import BadQuery
from appliance.services.sources import CategoryOrder, Reordered
from web.frame import Visit, here, page

CHANGES_TOLD = 8


@dataclass(frozen=True, slots=True)
class CategoryLine:
    """One category's sources, the most trusted first; a draft until it is used."""

    category: str
    name: str
    order: tuple[str, ...]
    is_own: bool
    is_draft: bool


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a new order did: days with another number, by metric."""

    name: str
    days: int
    metrics: list[tuple[str, int]]
    more: int


@dataclass(frozen=True, slots=True)
class SourcesPage:
    """Categories of which several sources tell, and the names of the others."""

    categories: list[CategoryLine]
    alone: list[str]
    rewritten: Rewritten | None = None


def add_pages(pages: Blueprint) -> None:
    """Add the pages of this module."""

    @pages.get("/settings/sources", endpoint="settings_sources")
    def sources() -> Response:
        args = request.args
        drafted = _moved(args.getlist("order"), args.get("move", ""))
        return page("settings_sources.html", _page(here(), args.get("category", ""), drafted))

    @pages.post("/settings/sources", endpoint="settings_sources_use")
    def use() -> Response:
        visit = here()
        category = request.form.get("category", "")
        if category not in {each.category for each in visit.services.sources.orders(visit.person_id)}:
            raise BadQuery("Nothing is held in this category.")
        done = visit.services.sources.reorder(visit.person_id, category, request.form.getlist("order"))
        return page("settings_sources.html", _page(visit, rewritten=_rewritten(visit.catalogue, done)))


def _page(
    visit: Visit,
    category: str = "",
    drafted: Sequence[str] = (),
    rewritten: Rewritten | None = None,
) -> SourcesPage:
    orders = visit.services.sources.orders(visit.person_id)
    return SourcesPage(
        [_line(each, category, drafted) for each in orders if len(each.names) > 1],
        [category_name(each.category) for each in orders if len(each.names) <= 1],
        rewritten,
    )


def category_name(category: str) -> str:
    """Return a category as people read it."""
    return category.replace("_", " ").capitalize()


def _line(order: CategoryOrder, category: str, drafted: Sequence[str]) -> CategoryLine:
    is_draft = (
        category == order.category
        and sorted(drafted) == sorted(order.names)
        and tuple(drafted) != order.names
    )
    names = tuple(drafted) if is_draft else order.names
    return CategoryLine(order.category, category_name(order.category), names, order.is_own, is_draft)


def _moved(order: list[str], move: str) -> list[str]:
    """Return an order with one name moved; `move` is its place from 0 and up or down, as “2:up”."""
    place, _, way = move.partition(":")
    step = {"up": -1, "down": 1}.get(way)
    if step is None or not place.isdecimal():
        return order
    here_, there = int(place), int(place) + step
    if max(here_, there) < len(order) and there >= 0:
        order[here_], order[there] = order[there], order[here_]
    return order


def _rewritten(catalogue: Catalogue, done: Reordered) -> Rewritten:
    by_days = sorted(done.days_changed.items(), key=lambda each: (-each[1], each[0]))
    named = [
        (row.display_name if (row := catalogue.metrics.get(metric)) else metric, days)
        for metric, days in by_days
    ]
    return Rewritten(
        category_name(done.category),
        sum(done.days_changed.values()),
        named[:CHANGES_TOLD],
        max(0, len(named) - CHANGES_TOLD),
    )
