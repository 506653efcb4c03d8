"""How the pairing of a phone goes, and what to look at when nothing comes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from appliance.foundation.network import is_loopback
from appliance.services.pairing import Progress
from web.frame import Visit
from web.pages.keys import MissLine, miss_line
from web.words import ago, moment

PATIENCE = timedelta(seconds=60)
MISSES_TOLD = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that has to happen. `mark` is good (it has), waiting, or bad."""

    mark: str
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Check:
    """One reason why nothing may come, likeliest first. `verdict` is what we can tell from here; `mark` as a badge's."""

    name: str
    mark: str
    verdict: str
    mend: str


@dataclass(frozen=True, slots=True)
class ProgressPart:
    """The live part of the pairing page. `checks` are there once nothing has come for a minute."""

    key_id: int
    address: str
    headline: str
    steps: list[Step]
    misses: list[MissLine]
    checks: list[Check]
    has_come: bool

    @property
    def fingerprint(self) -> str:
        """The same as long as all of it is, so that nothing is read out again that did not change."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


def progress_part(
    visit: Visit, going: Progress, *, address: str, address_kind: str, listens_to: str
) -> ProgressPart:
    """Put what is known into words. `address_kind` is of the adapter with the chosen address, empty for a name."""
    arrived = bool(going.arrivals)
    is_late = visit.services.clock.now() - going.invitation.began_at >= PATIENCE
    return ProgressPart(
        key_id=going.invitation.key_id,
        address=address,
        headline=_headline(going),
        steps=_steps(visit, going),
        misses=[miss_line(visit, miss) for miss in going.near_misses[:MISSES_TOLD]],
        checks=checks(going, address_kind, listens_to) if is_late and not arrived else [],
        has_come=arrived,
    )


def checks(going: Progress, address_kind: str, listens_to: str) -> list[Check]:
    """Return the reasons why nothing comes, in the order of how likely they are now, each with a verdict."""
    opened = going.invitation.opened_at is not None
    found: list[tuple[int, Check]] = []

    def add(rank: int, name: str, mark: str, verdict: str, mend: str) -> None:
        found.append((rank, Check(name, mark, verdict, mend)))

    if is_loopback(listens_to):
        add(
            0,
            "Hearthbeat listens to this computer alone",
            "bad",
            "This is so",
            'Write host = "0.0.0.0" into settings.toml and start Hearthbeat again.',
        )
    if address_kind in ("virtual", "vpn"):
        add(
            1,
            "The address chosen is of a VPN or a virtual network",
            "bad",
            "This is so",
            "Choose the address of your Wi-Fi or cable under “Address of this computer”.",
        )
    if going.near_misses:
        add(
            2,
            "The request is refused",
            "bad",
            "This is so; see above",
            "Do what is said there, or delete the automation and add it again from the phone's page.",
        )
    reached = ("good", "No: your phone opened its page")
    unknown = ("", "Cannot be told from here")
    add(
        3 if opened else 7,
        "Health Auto Export may not use the local network",
        "warn" if opened and not going.near_misses else unknown[0],
        "Likely: Safari reached us, the app has not" if opened and not going.near_misses else unknown[1],
        "On the phone: Settings, Privacy & Security, Local Network, switch on Health Auto Export.",
    )
    add(
        4,
        "The automation has not run yet",
        *unknown,
        "In the app: Automations, the new one, run it by hand. Keep the phone unlocked while it runs.",
    )
    add(
        5,
        "The app's Premium is not active",
        *unknown,
        "REST API automations need Premium or its free trial; the app says so when the automation runs.",
    )
    add(
        8 if opened else 3,
        "The phone is in another network",
        *(reached if opened else ("warn", "Possible: nothing from the phone was seen")),
        "Use the same Wi-Fi as this computer, not the guest network and not mobile data; switch off a VPN on the phone.",
    )
    add(
        9 if opened else 4,
        "A firewall on this computer keeps the phone out",
        *(reached if opened else ("warn", "Possible: nothing from the phone was seen")),
        "Allow Hearthbeat to be reached in private networks; on Windows, make this network a private one.",
    )
    return [check for _, check in sorted(found, key=lambda each: each[0])]


def _headline(going: Progress) -> str:
    received = sum(arrival.received for arrival in going.arrivals)
    if received:
        return f"Connected: {_items(received)} received"
    if going.arrivals:
        return "Connected: an upload without items came"
    if going.near_misses:
        return "A request came and was refused"
    if going.invitation.opened_at is not None:
        return "Your phone is here; waiting for the first upload"
    return "Waiting for your phone"


def _steps(visit: Visit, going: Progress) -> list[Step]:
    invitation, arrivals = going.invitation, going.arrivals
    used = going.key.last_used_at is not None and going.key.last_used_at >= invitation.began_at
    opened = ""
    if invitation.opened_at is not None:
        opened = f"{moment(invitation.opened_at, visit.now)} from {invitation.opened_from}"
    seen = bool(arrivals or used or going.near_misses)
    refused = "bad" if going.near_misses and not used else "waiting"
    steps = [
        Step("good" if opened else "waiting", "Page opened on the phone", opened or "Scan the code"),
        Step(
            "good" if seen else "waiting",
            "Request seen",
            "" if seen else "Add an automation there and let it run",
        ),
        Step("good" if used else refused, "Key accepted", "Refused; see below" if refused == "bad" else ""),
    ]
    if not arrivals:
        return [*steps, Step("waiting", "First upload stored", "")]
    return steps + [
        Step(
            "good",
            arrival.automation_name or "An automation without a name",
            f"{_items(arrival.received)} received, {arrival.stored:,} new; {ago(arrival.last_at, visit.now)}",
        )
        for arrival in arrivals
    ]


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"
