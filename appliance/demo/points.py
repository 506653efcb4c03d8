"""Metrics on their way into an envelope, and the devices that claim to have measured them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appliance.demo.window import Window

# As iOS names devices: a curly apostrophe, and a no-break space inside "Apple Watch".
WATCH = "Maya’s Apple\N{NO-BREAK SPACE}Watch"
PHONE = "Maya’s iPhone"
BOTH = f"{WATCH}|{PHONE}"


@dataclass(slots=True)
class MetricBook:
    """Collects the points of one post; what lies after the window is not known yet and is left out."""

    window: Window
    _units: dict[str, str] = field(default_factory=dict)
    _points: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)

    def add(self, name: str, units: str, instant: int, source: str, **values: Any) -> None:
        """Add one point that begins at the instant (Unix seconds)."""
        if instant > self.window.until:
            return
        self._units[name] = units
        point = {"date": self.window.stamp(instant), **values, "source": source}
        self._points.setdefault(name, []).append((instant, point))

    def timed(self, *names: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Yield metric, instant (Unix seconds) and point of these metrics, of all without any, each in order of time."""
        for name in names or self._points:
            for instant, point in sorted(self._points.get(name, ()), key=lambda timed: timed[0]):
                yield name, instant, point

    def metrics(self) -> list[dict[str, Any]]:
        """Return `data.metrics` as the phone sends it, every metric's points in order of time."""
        return [
            {
                "name": name,
                "units": self._units[name],
                "data": [point for _, _, point in self.timed(name)],
            }
            for name in self._points
        ]
