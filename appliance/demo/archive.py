"""Writes an invented export as the zip that the phone would make of it, day by day, so that memory stays flat."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from appliance.demo.history import LAST_GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from appliance.demo.history import History, Told

FOLDER = "apple_health_export"
DONE = "</HealthData>\n"
COPIED_AT_ONCE = 1 << 20
PACKING = 3  # nobody keeps the archive; a higher level costs more time than it saves


def write_archive(path: Path, history: History, on_day: Callable[[Told], bool] = lambda _told: True) -> bool:
    """Write the archive; `on_day` is told each day and says whether to go on. Return whether all was written."""
    with tempfile.TemporaryDirectory(prefix="groups-", dir=path.parent) as folder, ExitStack() as opened:
        # Apple groups by type, a life is lived by day: a drawer of its own for each group, put together at the end.
        drawers: dict[str, BinaryIO] = {}
        archive = opened.enter_context(
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=PACKING)
        )
        for told in history.told():
            for group, element in told.elements:
                if group not in drawers:
                    drawers[group] = opened.enter_context((Path(folder) / str(len(drawers))).open("w+b"))
                drawers[group].write(element.encode())
            for name, content in told.files.items():
                archive.writestr(f"{FOLDER}/{name}", content)
            if not on_day(told):
                return False
        groups = sorted(drawers.keys() - set(LAST_GROUPS)) + [each for each in LAST_GROUPS if each in drawers]
        with archive.open(f"{FOLDER}/export.xml", "w", force_zip64=True) as main:
            main.write(history.head().encode())
            for group in groups:
                drawers[group].seek(0)
                shutil.copyfileobj(drawers[group], main, COPIED_AT_ONCE)
            main.write(DONE.encode())
        archive.writestr(f"{FOLDER}/export_cda.xml", '<?xml version="1.0"?>\n<ClinicalDocument/>\n')
    return True
