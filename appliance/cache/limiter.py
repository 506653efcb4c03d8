"""How much one key may do in an hour, and how often one address may fail.

Three budgets, each with the strategy of the library `limits` that suits it:

- requests and upload bytes: the sliding window counter. It is two numbers per key whatever the limit and whatever
  a request costs (a cost is one INCRBY), where a moving window keeps one list entry per unit: 20,000 for the
  requests, millions for the bytes. It takes the previous window to have been spent evenly, so after a burst it may
  be off by a fraction of it; a fixed window could let twice the limit pass around its edge. Bytes are counted in
  KiB, rounded up: the scripts multiply counts with milliseconds in doubles, which stay exact that way.
- failed attempts: the moving window. Its few dozen entries are cheap, and somebody who guesses should get exactly
  the attempts allowed.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from limits.storage import MemoryStorage, RedisStorage

from appliance.cache.connection import Cache
from appliance.foundation.errors import RateLimited, UploadTooLarge

HOUR_S = 3600
FAILURES_WINDOW_S = 600
REQUESTS = "requests"
UPLOAD_BYTES = "upload-bytes"
FAILED_ATTEMPTS = "failed-attempts"

_KIB = 1024
_MIB = 1024 * 1024
_MINUTE_S = 60
_SKEW_S = 60  # what the clocks of two computers may differ by

T = TypeVar("T")
Counters = RedisStorage | MemoryStorage


@dataclass(frozen=True, slots=True)
class Allowance:
    """One budget as it stands.

    `limit` and `remaining` count requests, bytes or attempts, as the policy says. `reset_s` is how long
    `remaining` has to last: until the counting window turns or, when nothing remains, until something does again.
    """

    policy: str
    limit: int
    remaining: int
    window_s: int
    reset_s: int


class Door(NamedTuple):
    """A place where failing is counted: under which name, how often it may happen, and what happened in words."""

    name: str
    limit: int
    what: str


class LimitReached(RateLimited):
    """A budget is spent; `allowances` has how the budgets concerned stand."""

    def __init__(self, detail: str, *, retry_after_s: int, allowances: list[Allowance]) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.allowances = allowances


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window as counted: what the previous and the current fixed window spent, in units.

    `previous_s` is until the previous one no longer counts, `current_s` until the current one no longer does,
    which is a window after it became the previous one.
    """

    previous: int
    previous_s: float
    current: int
    current_s: float


@dataclass(frozen=True, slots=True)
class Budget:
    """So many units in any `window_s`, counted approximately; `unit` is how many requests or bytes make one."""

    policy: str
    units: int
    window_s: int
    unit: int = 1

    def take(self, counters: Counters, who: str, cost: int) -> bool:
        """Take `cost` units if they are there; a negative cost gives units back."""
        return counters.acquire_sliding_window_entry(self._name(who), self.units, self.window_s, cost)

    def look(self, counters: Counters, who: str) -> Window:
        """Return how the budget stands."""
        return Window(*counters.get_sliding_window(self._name(who), self.window_s))

    def allowance(self, window: Window) -> Allowance:
        """Return the same in the words of callers."""
        # Rounded down as the counters do it.
        spent = math.floor(window.previous * window.previous_s / self.window_s) + window.current
        remaining = max(0, self.units - spent)
        reset_s = (
            math.ceil(max(0.0, window.current_s - self.window_s)) if remaining else self.wait_s(window, 1)
        )
        return Allowance(self.policy, self.units * self.unit, remaining * self.unit, self.window_s, reset_s)

    def wait_s(self, window: Window, cost: int) -> int:
        """Return after how many whole seconds `cost` units (at most all) are there if nobody takes any."""
        room = self.units - window.current - cost
        if room >= 0:
            # What is left of the previous window has to fall below room + 1, because it is rounded down.
            spare = (room + 1) * self.window_s / window.previous if window.previous else math.inf
            return _whole_s(window.previous_s - spare)
        spare = (self.units - cost + 1) * self.window_s / window.current
        return _whole_s(window.current_s - min(spare, self.window_s))

    def start_anew_if_impossible(self, counters: Counters, who: str) -> None:
        """Forget counts that last longer than any can: the clock of Valkey was set back while they were held."""
        window = self.look(counters, who)
        if max(window.previous_s, window.current_s - self.window_s) > self.window_s + _SKEW_S:
            counters.clear_sliding_window(self._name(who), self.window_s)

    def _name(self, who: str) -> str:
        # Without the limit, so that a changed setting goes on from what is already spent.
        return f"{self.policy}/{who}"


class Limiter:
    """The budgets of all keys and addresses, counted in Valkey together with every other Limiter there.

    While Valkey is away (`Cache.degraded` names it), each process counts for itself in memory, from nothing; on
    its return the counts in Valkey go on from where they were.
    """

    def __init__(
        self, cache: Cache, *, requests_per_hour: int, upload_bytes_per_hour: int, failed_attempts: int
    ) -> None:
        self._cache = cache
        self._requests = Budget(REQUESTS, requests_per_hour, HOUR_S)
        self._uploads = Budget(UPLOAD_BYTES, max(1, upload_bytes_per_hour // _KIB), HOUR_S, unit=_KIB)
        self._key_door = Door(
            FAILED_ATTEMPTS, failed_attempts, "requests from this address had a wrong or no API key"
        )
        self._memory = MemoryStorage()
        # `limits` counts in memory with gaps between look and step, which threads fall into.
        self._memory_lock = threading.Lock()
        self._shared: RedisStorage | None = None
        if cache.client is not None:
            # The URL names the client library only; connections and time limits are those of the pool.
            self._shared = RedisStorage(
                "redis://", connection_pool=cache.client.connection_pool, key_prefix="hb:limit"
            )

    def spend(self, key_id: int, size_bytes: int) -> list[Allowance]:
        """Spend one request and its bytes, and return the budgets it was taken from, as they stand now.

        A request without a body leaves the upload budget alone. Raises `LimitReached` when one budget is spent
        and `UploadTooLarge` for more bytes than there ever are; then nothing is taken from the other.
        """
        costs = [(self._requests, 1)]
        if size_bytes > 0:
            costs.append((self._uploads, math.ceil(size_bytes / _KIB)))
        refused, windows = self._counted(lambda counters: _spend_all(counters, str(key_id), costs))
        allowances = [budget.allowance(window) for (budget, _), window in zip(costs, windows, strict=True)]
        if refused is None:
            return allowances
        budget, cost = costs[refused]
        if cost > budget.units:
            # Waiting does not help, so this is no “too many”: the phone would only come again.
            raise UploadTooLarge(
                f"This upload of {_size(size_bytes)} is larger than the {_size(budget.units * _KIB)} that one API "
                "key may send in an hour; turn on Batch Requests in the automation, or raise the appliance's setting "
                "limit_upload_mb_per_hour."
            )
        wait_s = budget.wait_s(windows[refused], cost)
        if budget is self._requests:
            detail = f"This API key has made its {budget.units:,} requests of an hour; try again in {_span(wait_s)}."
        else:
            detail = (
                f"This API key has sent nearly all of its {_size(budget.units * _KIB)} of an hour; this upload of "
                f"{_size(size_bytes)} can be sent in {_span(wait_s)}."
            )
        raise LimitReached(detail, retry_after_s=wait_s, allowances=allowances)

    def note_failure(self, address: str, *, at: Door | None = None) -> None:
        """Count one failed attempt from this address; one beyond the limit is not counted."""
        name, limit, _ = at or self._key_door
        self._counted(lambda counters: counters.acquire_entry(f"{name}/{address}", limit, FAILURES_WINDOW_S))

    def refuse_if_failing(self, address: str, *, at: Door | None = None) -> None:
        """Raise `LimitReached` when this address failed too often in the last ten minutes."""
        name, limit, what = at or self._key_door
        oldest, count = self._counted(
            lambda counters: counters.get_moving_window(f"{name}/{address}", limit, FAILURES_WINDOW_S)
        )
        if count < limit:
            return
        if (
            oldest > time.time() + FAILURES_WINDOW_S
        ):  # noted before the clock was set back; else it would be for years
            self._counted(lambda counters: counters.clear(f"{name}/{address}"))
            return
        # The oldest may come from another computer, whose clock may be ahead.
        wait_s = min(_whole_s(oldest + FAILURES_WINDOW_S - time.time()), FAILURES_WINDOW_S)
        raise LimitReached(
            f"{limit:,} {what} within ten minutes; check it and try again in {_span(wait_s)}.",
            retry_after_s=wait_s,
            allowances=[Allowance(name, limit, 0, FAILURES_WINDOW_S, wait_s)],
        )

    def _counted(self, count: Callable[[Counters], T]) -> T:
        shared = self._shared
        if shared is not None:
            found = self._cache.attempt(lambda _client: (count(shared),), None)
            if found is not None:
                return found[0]
        with self._memory_lock:
            return count(self._memory)


def _spend_all(
    counters: Counters, who: str, costs: Sequence[tuple[Budget, int]]
) -> tuple[int | None, list[Window]]:
    """Spend every cost or none; return which one was refused, and how all stand afterwards."""
    refused = None
    for index, (budget, cost) in enumerate(costs):
        taken = budget.take(counters, who, cost)
        if not taken and cost <= budget.units:
            budget.start_anew_if_impossible(counters, who)
            taken = budget.take(counters, who, cost)
        if not taken:
            refused = index
            for earlier, paid in costs[:index]:
                earlier.take(counters, who, -paid)
            break
    return refused, [budget.look(counters, who) for budget, _ in costs]


def _whole_s(seconds: float) -> int:
    # The next whole second and not this one: at the very instant it is not yet there.
    return math.floor(max(0.0, seconds)) + 1


def _span(seconds: int) -> str:
    if seconds == 1:
        return "1 second"
    if seconds < 2 * _MINUTE_S:
        return f"{seconds} seconds"
    return f"{math.ceil(seconds / _MINUTE_S)} minutes"


def _size(size_bytes: int) -> str:
    if size_bytes < _MIB:
        return f"{math.ceil(size_bytes / _KIB):,} KiB"
    return f"{size_bytes / _MIB:,.1f} MiB".replace(".0 MiB", " MiB")
