"""The span of days a page shows, as it stands in the address: `?range=w&end=2026-08-20` or `?start=…&end=…`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

# Letter → (what it is called, days; None for all).
SPANS: dict[str, tuple[str, int | None]] = {
    "d": ("Day", 1),
    "w": ("Week", 7),
    "m": ("Month", 30),
    "3m": ("3 months", 91),
    "y": ("Year", 365),
    "all": ("All", None),
}
SHORT = {"d": "D", "w": "W", "m": "M", "3m": "3M", "y": "Y", "all": "All"}
_EARLIEST = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the ranges to choose from."""

    label: str
    short: str
    query: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Range:
    """Days from `first` to `last`, both included; `letter` is empty for days a person chose themselves."""

    letter: str
    first: date
    last: date
    today: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    @property
    def bucket(self) -> str:
        """The bucket that suits its width: hour, day, week or month."""
        if self.days <= 2:
            return "hour"
        if self.days <= 200:
            return "day"
        return "week" if self.days <= 1000 else "month"

    @property
    def words(self) -> str:
        """The range in words, as “14 – 20 August 2026”."""
        first, last = self.first, self.last
        if self.letter == "all":
            return f"Everything since {first:%B %Y}"
        if first == last:
            return f"{first:%A}, {first.day} {first:%B %Y}"
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day} – {last.day} {last:%B %Y}"
        if first.year == last.year:
            return f"{first.day} {first:%B} – {last.day} {last:%B %Y}"
        return f"{first.day} {first:%B %Y} – {last.day} {last:%B %Y}"

    @property
    def query(self) -> str:
        """The range as it stands in an address, without a question mark."""
        return _query(self.letter, self.first, self.last, self.today)

    @property
    def api_query(self) -> str:
        """The range as our API takes it."""
        return urlencode({"start": self.first.isoformat(), "end": self.last.isoformat()})

    @property
    def earlier(self) -> str | None:
        """The query of the range before this one."""
        return None if self.letter == "all" else self._moved(-self.days)

    @property
    def later(self) -> str | None:
        """The query of the range after this one; None when that has not begun."""
        return None if self.letter == "all" or self.last >= self.today else self._moved(self.days)

    def before(self) -> Range:
        """Return the range of the same length just before, to compare with."""
        shift = timedelta(days=self.days)
        return Range(self.letter, self.first - shift, self.last - shift, self.today)

    def choices(self) -> list[Choice]:
        """Return the ranges to choose from; each ends where this one does."""
        return [
            Choice(
                name, SHORT[letter], _query(letter, self.first, self.last, self.today), letter == self.letter
            )
            for letter, (name, _) in SPANS.items()
        ]

    def _moved(self, days: int) -> str:
        shift = timedelta(days=days)
        last = min(self.last + shift, self.today) if self.letter else self.last + shift
        return _query(self.letter, self.first + shift, last, self.today)


def read_range(
    query: Mapping[str, str], today: date, *, otherwise: str = "m", earliest: date | None = None
) -> Range:
    """Read the range from an address; whatever is not a range becomes `otherwise`, ending today.

    `earliest` is the first day there is anything of, where “all” begins.
    """
    first, last = _day(query.get("start")), _day(query.get("end"))
    letter = query.get("range", "")
    if first and last and not letter:
        first, last = min(first, last), max(first, last)
        return Range("", max(first, _EARLIEST), last, today)
    letter = letter if letter in SPANS else otherwise
    last = min(last or today, today)
    width = SPANS[letter][1]
    if width is None:
        return Range(letter, min(earliest or today, today), today, today)
    return Range(letter, max(last - timedelta(days=width - 1), _EARLIEST), last, today)


def _query(letter: str, first: date, last: date, today: date) -> str:
    if not letter:
        return urlencode({"start": first.isoformat(), "end": last.isoformat()})
    return urlencode(
        {"range": letter} | ({} if last >= today or letter == "all" else {"end": last.isoformat()})
    )


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if _EARLIEST <= day <= date(2100, 12, 31) else None
