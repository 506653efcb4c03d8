"""One item as it was sent, read field by field; what no reader asks for is kept beside what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appliance.domain.quarantine import Reason
from appliance.domain.sample import normalise_source
from appliance.domain.text import storable, storable_text
from appliance.intake.fields import TEXT_LENGTH, RecordContext, Unreadable, finite_number, moment, text_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.domain.record import Kind

Object = dict[str, Any]


class Sent:
    """An item of one kind of record. Every getter raises `Unreadable` for a type the field cannot have.

    None, an empty text, an empty list and a field that is not there are the same: nothing was told.
    """

    def __init__(self, item: Object, kind: Kind, context: RecordContext) -> None:
        self._item = item
        self._kind = kind
        self._context = context
        self._asked: set[str] = set()
        self._left: Object = {}
        self.flags: list[str] = []

    def raw(self, name: str) -> Any:
        """Return a field as it was sent, None where there is none."""
        self._asked.add(name)
        return self._item.get(name)

    def text(self, name: str) -> str | None:
        """Return a text, trimmed and at most `TEXT_LENGTH` long."""
        self._asked.add(name)
        return text_field(self._item, name) or None

    def identity(self, name: str) -> str | None:
        """Return a text in its whole length, trimmed, to tell records apart by."""
        sent = self.raw(name)
        return (storable_text(sent).strip() or None) if isinstance(sent, str) else None

    def number(self, name: str) -> float | None:
        """Return a finite number; numeric texts are taken."""
        return finite_number(self.raw(name))

    def yes_or_no(self, name: str) -> bool | None:
        """Return a truth value, which may be written as 1 or 0."""
        sent = self.raw(name)
        if sent is None or isinstance(sent, bool):
            return sent
        if sent in (0, 1):
            return bool(sent)
        raise Unreadable(Reason.WRONG_SHAPE, f"“{name}” is neither true nor false.")

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        sent = self._list(name)
        if not all(isinstance(text, str) for text in sent):
            raise Unreadable(Reason.WRONG_SHAPE, f"“{name}” holds something that is not a text.")
        return [storable_text(text, TEXT_LENGTH).strip() for text in sent]

    def objects(self, name: str) -> list[Object]:
        """Return a list of objects."""
        sent = self._list(name)
        if not all(isinstance(each, dict) for each in sent):
            raise Unreadable(Reason.WRONG_SHAPE, f"“{name}” holds something that is not an object.")
        return sent

    def moment(self, name: str) -> tuple[int, int]:
        """Return a date as instant (µs since 1970 UTC) and offset (seconds)."""
        self._asked.add(name)
        return moment(self._item, name, self._context.timestamps)

    def moment_or_none(self, name: str) -> tuple[int, int] | None:
        """Return a date that may be missing; one that is there must be readable."""
        return None if self.raw(name) in (None, "") else self.moment(name)

    def end(self, start: int) -> int | None:
        """Return when it ended, in µs since 1970 UTC; an end before the start is flagged."""
        found = self.moment_or_none("end")
        if found is None:
            return None
        if found[0] < start:
            self.flags.append("ends_before_start")
        return found[0]

    def source(self) -> str:
        """Return the normalised source set; an object names it in “name”, and what else it tells is kept."""
        sent = self.raw("source")
        if isinstance(sent, dict):
            self.keep("source", {name: told for name, told in sent.items() if name != "name"})
            sent = sent.get("name")
        if sent is None:
            return ""
        if not isinstance(sent, str):
            raise Unreadable(Reason.WRONG_SHAPE, "The source is not a text.")
        return normalise_source(sent)

    def word(self, name: str, field: str) -> dict[str, str | None]:
        """Return a word as content: as it was sent, and the key it stands for in whatever language."""
        sent = self.text(name)
        return {field: sent, f"{field}_key": None if sent is None else self.key(field, sent)}

    def key(self, field: str, word: str) -> str | None:
        """Return the key a word of this kind of record stands for, None when it is not known."""
        return self._context.catalogue.words.key(self._kind, field, word)

    def keep(self, name: str, told: Any) -> None:
        """Keep something of a field that was asked for and could not be told otherwise."""
        self._left[name] = told

    def content(self, told: Mapping[str, Any]) -> Object:
        """Return what is told without its gaps, and under “more” every field that nobody asked for."""
        rest = {name: sent for name, sent in self._item.items() if name not in self._asked} | self._left
        more = {name: sent for name, sent in rest.items() if not _is_nothing(sent)}
        content = {name: value for name, value in told.items() if not _is_nothing(value)}
        told_whole: Object = storable(content | ({"more": more} if more else {}))
        return told_whole

    def _list(self, name: str) -> list[Any]:
        sent = self.raw(name)
        if sent is None:
            return []
        if not isinstance(sent, list):
            raise Unreadable(Reason.WRONG_SHAPE, f"“{name}” is not a list.")
        return sent


def _is_nothing(sent: Any) -> bool:
    return sent is None or sent in ("", [], {})
