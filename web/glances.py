"""What pages of many metrics share: a metric's address, its number with its unit, its last days as a small picture."""

from __future__ import annotations

from flask import url_for

from appliance.services.glance import Glance
from web import sparks
from web.sparks import Spark
from web.units import Scale, hours_text


def metric_url(metric: str) -> str:
    """Return the address of a metric's page."""
    return url_for("web.metrics_one", key=metric)


def value_and_unit(value: float | None, scale: Scale) -> tuple[str, str]:
    """Return a number and its unit apart, so that a page can set them apart; hours come as one."""
    if value is None:
        return "–", ""
    return (hours_text(value), "") if scale.unit == "h" else (scale.text(value), scale.unit)


def spark_of(glance: Glance, words: str, *, with_band: bool = True) -> Spark:
    """Return the small picture of a metric's last days."""
    if glance.is_sum:
        return sparks.bars(glance.days, words)
    return sparks.line(glance.days, glance.band if with_band else None, words)
