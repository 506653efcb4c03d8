"""One thing to know for each state, and what is shown of it."""

from __future__ import annotations

from datetime import UTC, datetime

from tray.menu import view_of
from tray.standing import Standing
from tray.state import Kind, Known, Phase, state_of

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
WELL = Standing(last_upload_at=datetime(2026, 11, 23, 12, 5, tzinfo=UTC))
KNOWN = {
    Kind.FRESH: Known(Phase.RUNNING, ours=True, standing=WELL),
    Kind.SILENT: Known(
        Phase.RUNNING, standing=Standing(last_upload_at=WELL.last_upload_at, silent=("Anna's iPhone",))
    ),
    Kind.STARTING: Known(Phase.STARTING),
    Kind.STOPPED: Known(Phase.STOPPED),
    Kind.TROUBLE: Known(Phase.GIVEN_UP, reason="Port 8710 is taken."),
}
VIEWS = {kind: view_of(state_of(known, NOW), known, autostart=True) for kind, known in KNOWN.items()}
