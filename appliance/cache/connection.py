"""The way to Valkey or Redis, and doing without it."""

from __future__ import annotations

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

        After a failure nothing is tried for 5 s; then one caller tries again while the others still get
        `otherwise`. So a server that hangs costs a thread 0.25 s once, and then nothing.
        """
        client = self.client
        if client is None or self._closed:
            return otherwise
        probing = self._reason is not None
        if probing and not self._may_probe():
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
        # Only a probe may call it well: a reply that was under way when another call timed out proves nothing.
        if probing:
            self._recovered()
        return result

    def answers(self) -> bool:
        """Whether the server answers; within 5 s of a failure it is not asked."""
        return self.attempt(lambda client: bool(client.ping()), otherwise=False)

    def close(self) -> None:
        """Close every connection; from then on there is no cache."""
        with self._lock:
            self._closed = True
            self._reason = NO_CACHE
        if self.client is not None:
            self.client.connection_pool.disconnect()
            self.client.close()

    def _may_probe(self) -> bool:
        with self._lock:
            now = self._monotonic()
            if now < self._probe_at:
                return False
            self._probe_at = now + PAUSE_S
            return True

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
