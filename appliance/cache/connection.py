"""The way to Valkey or Redis, and doing without it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from appliance.foundation.errors import SettingsError

TIMEOUT_S = 0.25
PAUSE_S = 5.0

AWAY = "valkey_away"
REFUSES = "valkey_refuses"
NO_CACHE = "no_cache"

log = structlog.get_logger("hearthbeat.cache")
T = TypeVar("T")


class Cache:
    """One Valkey or Redis, or none; losing it degrades by name and never raises to callers.

    `url` is in redis-py's form (`unix:///…/valkey.sock`, `redis://…`); None is no cache by choice. Nothing is
    connected before the first use. Safe to use from many threads. `client` is None without a cache.
    Raises `SettingsError` when the URL has no form we know.
    """

    def __init__(self, url: str | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self.client = _client(url) if url is not None else None
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._reason: str | None = None if self.client is not None else NO_CACHE
        self._probe_at = 0.0
        self._back_at = -math.inf
        self._probe: threading.Thread | None = None
        self._closed = False

    @property
    def degraded(self) -> str | None:
        """None when all is well, as far as the last call knows.

        Otherwise `valkey_away` (no connection or no reply), `valkey_refuses` (it replies with an error: out of
        memory, loading, read-only, …) or `no_cache` (none by choice, or closed).
        """
        return self._reason

    def attempt(self, operation: Callable[[redis.Redis], T], otherwise: T) -> T:
        """Return what `operation` returns, or `otherwise` when the server cannot do it.

        After a failure nothing is tried for 5 s; then a thread of its own looks whether the server is back, while
        callers still get `otherwise`. So a server that hangs costs a caller 0.25 s once, and then nothing.
        """
        client = self.client
        if client is None or self._closed:
            return otherwise
        if self._reason is not None:
            self._look_whether_it_is_back(client)
            return otherwise
        try:
            result = operation(client)
        except redis.DataError:  # a value redis-py cannot send: our mistake, not the server's
            raise
        except redis.ResponseError as error:
            self._failed(REFUSES, error)
            return otherwise
        except (redis.RedisError, OSError) as error:
            self._failed(AWAY, error)
            return otherwise
        return result

    def answers(self) -> bool:
        """Whether the server answers; after a failure it is asked beside, and the answer is true the next time."""
        return self.attempt(lambda client: bool(client.ping()), otherwise=False)

    def well_for_s(self) -> float:
        """Return for how long the server has been well without a break, as far as this process knows."""
        return 0.0 if self._reason is not None else self._monotonic() - self._back_at

    def close(self) -> None:
        """Close every connection; from then on there is no cache."""
        with self._lock:
            self._closed = True
            self._reason = NO_CACHE
        if self._probe is not None:
            self._probe.join()
        if self.client is not None:
            self.client.connection_pool.disconnect()
            self.client.close()

    def _look_whether_it_is_back(self, client: redis.Redis) -> None:
        with self._lock:
            now = self._monotonic()
            if now < self._probe_at or self._closed:
                return
            self._probe_at = now + PAUSE_S
            self._probe = threading.Thread(target=self._ping, args=[client], name="cache-probe", daemon=True)
            self._probe.start()

    def _ping(self, client: redis.Redis) -> None:
        try:
            # A question, and what it must be able to do: one that is full or read-only answers questions too.
            client.set(b"hb:probe", b"", ex=60)
        except redis.ResponseError as error:
            self._failed(REFUSES, error)
        except (redis.RedisError, OSError) as error:
            self._failed(AWAY, error)
        else:
            self._recovered()

    def _failed(self, reason: str, error: Exception) -> None:
        with self._lock:
            if self._closed:
                return
            before, self._reason = self._reason, reason
            self._probe_at = self._monotonic() + PAUSE_S
        if before != reason:
            log.warning("cache_degraded", reason=reason, error=f"{type(error).__name__}: {error}")

    def _recovered(self) -> None:
        with self._lock:
            if self._closed:
                return
            before, self._reason = self._reason, None
            self._back_at = self._monotonic()
        if before is not None:
            log.info("cache_back", was=before)


def _client(url: str) -> redis.Redis:
    ours = {
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "decode_responses": False,
        # RESP3 would greet every new connection with commands that are of no use here.
        "protocol": 2,
    }
    try:
        pool = redis.ConnectionPool.from_url(url, **ours)
    except ValueError:
        # Without the cause: it may quote a part of the URL, and that may be the password.
        raise SettingsError(
            "The address of Valkey or Redis is not valid; it looks like redis://host:6379/0 or "
            "unix:///folder/valkey.sock."
        ) from None
    # Options in the URL win over arguments, and none of these is a matter of taste.
    pool.connection_kwargs.update(ours)
    return redis.Redis.from_pool(pool)
