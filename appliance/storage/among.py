"""One column against many values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, any_, literal


def among(column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is one of these values, however many there are.

    They travel as one array: a list of parameters ends at 65,535, and uploads decide how many there are.
    """
    return column == any_(literal(list(values), ARRAY(column.type)))
