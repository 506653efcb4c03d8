"""Posts the made-up life to the running appliance, through real HTTP with a real key, and tells how it went."""

from __future__ import annotations

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from appliance.demo.life import posts
from appliance.domain.key import Scope
from appliance.domain.preferences import Preferences
from appliance.domain.session import LinkPurpose
from appliance.services import Services

PERSON = "Maya"
PASSWORD = "hearthbeat"  # noqa: S105  the demo lives on this computer alone and is gone with its window


class Show:
    """The demo's story: a person, a key, her phone's posts, and the totals."""

    def __init__(self, services: Services, url: str, console: Console, *, days: int, seed: int) -> None:
        self._services = services
        self._url = url
        self._console = console
        self._days = days
        self._seed = seed
        self._stopping = threading.Event()

    def run(self, open_page: Callable[[str], object] | None) -> None:
        """Post everything, print the totals and the addresses, and open the page."""
        person = self._services.people.ensure(PERSON)
        fresh = self._services.keys.create("Demo phone", list(Scope), person_name=PERSON)
        totals = self._post_all(fresh.secret_text, person.zone)
        if totals is None:
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

    def _post_all(self, key: str, zone: Any) -> dict[str, int] | None:
        totals: Counter[str] = Counter()
        address = urlsplit(self._url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=120)
        to_come = list(
            posts(
                until=self._services.clock.now().astimezone(zone), zone=zone, days=self._days, seed=self._seed
            )
        )
        with Progress(
            TextColumn("[progress.description]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        ) as progress:
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
