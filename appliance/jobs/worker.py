"""Works on uploads that were kept first and answered with 202, and on those a killed program left behind."""

from __future__ import annotations

import threading

import structlog

from appliance.foundation.errors import DependencyError
from appliance.services.tracing import Tracing
from appliance.services.uploads import Uploads

IDLE_S = 2.0  # how soon an upload is noticed that another instance kept, or whose pause is over
AWAY_S = 1.0  # how soon it is noticed that the database is back

log = structlog.get_logger("hearthbeat.worker")


class UploadWorker:
    """One thread that takes waiting uploads from the database, oldest first. Several instances may run one each."""

    def __init__(self, uploads: Uploads, tracing: Tracing) -> None:
        self._uploads = uploads
        self._tracing = tracing
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upload-worker", daemon=True)

    def start(self) -> None:
        """Begin, with whatever is waiting."""
        self._uploads.on_deferred = self._wake.set
        self._thread.start()

    def stop(self, deadline_s: float = 30.0) -> None:
        """Finish the upload under way and stop."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            pause_s = self._work()
            self._write_traces()
            self._wake.wait(pause_s)
        self._write_traces()

    def _work(self) -> float:
        """Work on one upload, and return how many seconds to wait for the next."""
        structlog.contextvars.clear_contextvars()  # an upload that went wrong may have left its ids
        try:
            return 0.0 if self._uploads.work_on_due() else IDLE_S
        except DependencyError:
            return AWAY_S  # it is still waiting, and so are we
        except Exception:  # the edge of this thread: it must not die of one upload
            log.exception("worker_stumbled")
            return IDLE_S

    def _write_traces(self) -> None:
        try:
            self._tracing.write()
        except DependencyError:
            return  # they wait on
        except Exception:  # the edge of this thread
            log.exception("traces_not_written")
