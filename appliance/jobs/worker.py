"""Works on uploads that were kept first and answered with 202, and on those a killed program left behind."""

from __future__ import annotations

import threading

import structlog

from appliance.foundation.errors import DependencyError
from appliance.services.uploads import Uploads

IDLE_S = 5.0  # how soon an upload is noticed that another instance kept, or that a dead one left

log = structlog.get_logger("hearthbeat.worker")


class UploadWorker:
    """One thread that takes waiting uploads from the database, oldest first. Several instances may run one each."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
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
            if not self._work():
                self._wake.wait(IDLE_S)

    def _work(self) -> bool:
        try:
            return self._uploads.work_on_due()
        except DependencyError:
            return False  # it is still waiting, and so are we
        except Exception:  # the edge of this thread: it must not die of one upload
            log.exception("worker_stumbled")
            return False
