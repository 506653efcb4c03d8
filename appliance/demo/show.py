"""Posts the made-up life to the running appliance, through real HTTP with a real key, and tells how it went.

With a history, an export of the years before is written as the phone would make it, and imported as anybody would.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from appliance.demo.archive import write_archive
from appliance.demo.history import History, Told
from appliance.demo.life import posts
from appliance.domain.importing import ImportRun
from appliance.domain.key import Scope
from appliance.domain.preferences import Preferences
from appliance.domain.session import LinkPurpose
from appliance.services import Services

PERSON = "Maya"
PASSWORD = "hearthbeat"  # noqa: S105  the demo lives on this computer alone and is gone with its window


class Show:
    """The demo's story: a person, a key, her phone's posts, her past, and the totals.

    `past` is how many days before the posted ones an export tells of, none for no export; it lies in `folder` for as
    long as it is imported.
    """

    def __init__(
        self, services: Services, url: str, console: Console, *, days: int, seed: int, past: int, folder: Path
    ) -> None:
        self._services = services
        self._url = url
        self._console = console
        self._days = days
        self._seed = seed
        self._past = past
        self._folder = folder
        self._stopping = threading.Event()

    def run(self, open_page: Callable[[str], object] | None) -> None:
        """Post everything, print the totals and the addresses, and open the page."""
        person = self._services.people.ensure(PERSON)
        fresh = self._services.keys.create("Demo phone", list(Scope), person_name=PERSON)
        until = self._services.clock.now().astimezone(person.zone)
        totals = self._post_all(fresh.secret_text, until, person.zone)
        if totals is None or (self._past and not self._import_past(person.person_id, until, person.zone)):
            return
        table = Table(*totals, box=None, pad_edge=False)
        table.add_row(*(f"{count:,}" for count in totals.values()))
        self._console.print("Receipts, all together:")
        self._console.print(table)
        self._console.print(f"Key        {fresh.secret_text}")
        self._console.print(
            f"Try        curl -H 'Authorization: Bearer {fresh.secret_text}' '{self._url}api/v1/metrics/step_count/series?bucket=day'"
        )
        self._console.print(f"API        {self._url}api/v1/docs")
        page = f"{self._url}login/{self._login_link()}"
        self._console.print(f"Log in     {page} (once), or with the password “{PASSWORD}”")
        self._console.print(f"Ready: {self._url} (Ctrl-C ends the demo and removes its data)")
        self._console.file.flush()
        if open_page is not None:
            open_page(page)

    def _login_link(self) -> str:
        sessions = self._services.sessions
        sessions.set_up(
            sessions.link(LinkPurpose.SETUP),
            name=PERSON,
            time_zone=self._services.people.ensure(PERSON).time_zone,
            password=PASSWORD,
            preferences=Preferences(),
            address="",
            browser="",
        )
        return sessions.link(LinkPurpose.LOGIN)

    def stop(self) -> None:
        """Post no more."""
        self._stopping.set()

    def _post_all(self, key: str, until: datetime, zone: Any) -> dict[str, int] | None:
        totals: Counter[str] = Counter()
        address = urlsplit(self._url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=120)
        to_come = list(posts(until=until, zone=zone, days=self._days, seed=self._seed))
        with self._progress() as progress:
            task = progress.add_task("Posting", total=sum(post.items for post in to_come))
            for post in to_come:
                if self._stopping.is_set():
                    return None
                progress.update(task, description=f"{post.label:<42.42}")
                headers = post.headers | {
                    "Authorization": f"Bearer {key}",
                    "Content-Type": "application/json",
                }
                body = json.dumps(post.body, ensure_ascii=False).encode()
                connection.request("POST", "/api/v1/ingest", body, headers)
                answer = connection.getresponse()
                receipt = json.loads(answer.read())
                if answer.status >= http.client.BAD_REQUEST:
                    self._console.print(f"The appliance refused {post.label}: {receipt.get('detail')}")
                    continue
                totals.update(receipt["counts"])
                progress.advance(task, post.items)
        connection.close()
        return dict(totals)

    def _import_past(self, person_id: int, until: datetime, zone: Any) -> bool:
        """Write the export and import it, and tell what became of it; return whether that was not stopped."""
        history = History(until=until, zone=zone, days=self._days, past=self._past, seed=self._seed)
        path = self._folder / "export.zip"
        try:
            with self._progress() as progress:
                task = progress.add_task("Living through the years before", total=history.days)

                def lived(_told: Told) -> bool:
                    progress.advance(task)
                    return not self._stopping.is_set()

                if not write_archive(path, history, lived):
                    return False
            size, begun = path.stat().st_size, time.monotonic()
            with self._progress() as progress:
                task = progress.add_task("Importing export.zip", total=None)

                def imported(run: ImportRun) -> None:
                    progress.update(task, completed=run.done >> 20, total=run.total >> 20)

                run = self._services.importing.export(
                    person_id, path, on_progress=imported, stop=self._stopping.is_set
                )
        finally:
            path.unlink(missing_ok=True)
        counts, took = run.counts, time.monotonic() - begun
        self._console.print(
            f"Imported   export.zip of {history.days:,} days ({size / 1e6:.0f} MB) in {took:.0f} s: {counts.received:,} read,"
            f" {counts.stored:,} new, {counts.unchanged + counts.superseded:,} told by the phone already,"
            f" {counts.quarantined:,} set aside"
        )
        return not self._stopping.is_set()

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("[progress.description]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
