"""Connecting a phone: name it, scan one code, and see at once what comes of it.

The phone opens a page of its own at the very address it could reach, and every link there makes an automation that
posts to that address. Whoever rather scans each automation directly finds those codes on the computer's page.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

import segno
from flask import Blueprint, Response, redirect, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from appliance.catalog.automations import AUTOMATIONS, AutomationKind
from appliance.domain.automation import automation_link
from appliance.domain.person import Person
from appliance.foundation.errors import HearthbeatError
from appliance.foundation.network import Adapter, adapters, is_at_home
from appliance.services import Services
from appliance.services.keys import NAME_LENGTH
from appliance.services.pairing import Invitation
from web.frame import Visit, here, page, part
from web.pages.keys import chosen_person, possible_people, told_once, within
from web.pages.pairing_progress import ProgressPart, progress_part

AGAIN_OVERLAP_HOURS = 24
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.\-]{1,100}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?")
_LOOPBACK = re.compile(r"(localhost|127\..*|\[::1\])(:\d+)?")
_KINDS_OF_ADDRESS = {"network": "this network", "virtual": "virtual, no phone reaches it", "vpn": "VPN"}


@dataclass(frozen=True, slots=True)
class StartPage:
    """Names the phone. `people` is for owners, when there are several."""

    name: str
    name_length: int
    people: list[Person]
    person_id: int
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """An address a phone might reach this computer at, with port; `words` tells whose."""

    value: str
    words: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """One automation's own code."""

    kind: AutomationKind
    code: Markup
    link: str


@dataclass(frozen=True, slots=True)
class PairPage:
    """The computer's side: the code for the phone, how it goes, and every automation's own code."""

    key_id: int
    key_name: str
    code: Markup
    phone_url: str
    minutes_left: int
    addresses: list[Address]
    address: str
    kinds: list[AutomationKind]
    scan: Scan | None
    progress: ProgressPart


@dataclass(frozen=True, slots=True)
class Button:
    """An automation and the link that makes it."""

    kind: AutomationKind
    link: str


@dataclass(frozen=True, slots=True)
class PhonePage:
    """The phone's side: one button for each automation."""

    key_name: str
    usual: list[Button]
    others: list[Button]


def add_pages(pages: Blueprint, services: Services) -> None:
    """Add the pages of this module."""
    _add_beginning(pages)
    _add_phone(pages, services)

    @pages.get("/keys/pair/<int:key_id>", endpoint="keys_pair_phone")
    def pair(key_id: int) -> Response:
        visit = here()
        invitation = visit.services.pairing.of_key(key_id, visit.visitor.person_id)
        return told_once(page("pair.html", _pair_page(visit, invitation)))

    @pages.get("/keys/pair/<int:key_id>/progress", endpoint="keys_pair_progress")
    def progress(key_id: int) -> Response:
        visit = here()
        try:
            invitation = visit.services.pairing.of_key(key_id, visit.visitor.person_id)
        except HearthbeatError:
            return part("parts/pair_over.html", key_id)
        now = _progress(visit, invitation, _chosen(_addresses(visit.services.announcing.host_name)))
        if request.args.get("seen") == now.fingerprint:
            return Response(status=204)
        return part("parts/pair_progress.html", now)

    @pages.post("/keys/pair/<int:key_id>/close", endpoint="keys_pair_close")
    def close(key_id: int) -> AnyResponse:
        visit = here()
        visit.services.pairing.of_key(key_id, visit.visitor.person_id)
        visit.services.pairing.close(key_id)
        return redirect(url_for("web.keys_one", key_id=key_id))


def _add_beginning(pages: Blueprint) -> None:
    @pages.get("/keys/pair", endpoint="keys_pair")
    def start() -> Response:
        return page("pair_start.html", _start_page(here()))

    @pages.post("/keys/pair", endpoint="keys_pair_begin")
    def begin() -> Response | AnyResponse:
        visit = here()
        try:
            invitation = visit.services.pairing.begin(
                request.form.get("name", ""), chosen_person(visit), visit.visitor.person_id
            )
        except HearthbeatError as error:
            if error.status >= 500:
                raise
            return page("pair_start.html", _start_page(visit, error.detail), error.status)
        return redirect(url_for("web.keys_pair_phone", key_id=invitation.key_id))

    @pages.post("/keys/<int:key_id>/pair", endpoint="keys_pair_again")
    def again(key_id: int) -> AnyResponse:
        visit = here()
        invitation = visit.services.pairing.again(
            key_id, within(visit), visit.visitor.person_id, AGAIN_OVERLAP_HOURS
        )
        return redirect(url_for("web.keys_pair_phone", key_id=invitation.key_id))


def _add_phone(pages: Blueprint, services: Services) -> None:
    @pages.get("/pair/<token>", endpoint="pair_phone")
    def phone(token: str) -> Response:
        # Without a login: the phone has none, and who holds the link was shown it by somebody who is logged in.
        invitation = services.pairing.open(token, request.remote_addr or "")
        buttons = [Button(kind, _link(invitation, kind, request.host_url)) for kind in AUTOMATIONS.values()]
        return told_once(
            page(
                "pair_phone.html",
                PhonePage(
                    invitation.key_name,
                    [button for button in buttons if button.kind.is_usual],
                    [button for button in buttons if not button.kind.is_usual],
                ),
            )
        )


def qr_code(text: str, label: str) -> Markup:
    """Draw a QR code (ISO/IEC 18004), dark on light whatever the theme, as cameras want it."""
    code = segno.make(text, error="l", micro=False, boost_error=False)
    drawn = code.svg_inline(border=4, omitsize=True, dark="#000", light="#fff", svgclass="qr", lineclass=None)
    return Markup('<span role="img" aria-label="{}">{}</span>').format(label, Markup(drawn))  # noqa: S704  drawn by the library from modules alone


def _start_page(visit: Visit, wrong: str = "") -> StartPage:
    people = possible_people(visit)
    possessive = f"{visit.person.name}’s iPhone"
    return StartPage(
        name=request.form.get("name", possessive[:NAME_LENGTH]),
        name_length=NAME_LENGTH,
        people=people if len(people) > 1 else [],
        person_id=visit.person_id,
        wrong=wrong,
    )


def _pair_page(visit: Visit, invitation: Invitation) -> PairPage:
    addresses = _addresses(visit.services.announcing.host_name)
    address = _chosen(addresses)
    base = f"{request.scheme}://{address}/"
    phone_url = f"{base}pair/{invitation.token}"
    kind = AUTOMATIONS.get(request.args.get("scan", ""))
    scan = None
    if kind is not None:
        link = _link(invitation, kind, base)
        scan = Scan(kind, qr_code(link, f"Code that adds the automation {kind.name}"), link)
    left = invitation.expires_at - visit.services.clock.now()
    return PairPage(
        key_id=invitation.key_id,
        key_name=invitation.key_name,
        code=qr_code(phone_url, "Code that opens the pairing page on your phone"),
        phone_url=phone_url,
        minutes_left=max(1, round(left.total_seconds() / 60)),
        addresses=addresses,
        address=address,
        kinds=list(AUTOMATIONS.values()),
        scan=scan,
        progress=_progress(visit, invitation, address),
    )


def _progress(visit: Visit, invitation: Invitation, address: str) -> ProgressPart:
    going = visit.services.pairing.progress(invitation, sees_all=visit.visitor.is_owner)
    host = address.rpartition(":")[0] if ":" in address else address
    kind = next((adapter.kind for adapter in adapters() if adapter.address == host), "")
    return progress_part(
        visit, going, address=address, address_kind=kind, listens_to=visit.services.settings.host
    )


def _link(invitation: Invitation, kind: AutomationKind, base: str) -> str:
    return automation_link(
        f"{base}api/v1/ingest", invitation.secret_text, f"Hearthbeat {kind.name}", kind.parameters
    )


def _addresses(announced: str | None) -> list[Address]:
    """Return where a phone might reach us, likeliest first, each with the port this page came by.

    What the browser itself used comes first unless it names this very computer: somebody saw it work.
    """
    port = f":{request.host.rpartition(':')[2]}" if re.search(r":\d+$", request.host) else ""
    found: dict[str, str] = {}
    if not _LOOPBACK.fullmatch(request.host.casefold()):
        found[request.host] = "the address you are using now"
    for adapter in adapters():
        found.setdefault(f"{adapter.address}{port}", _adapter_words(adapter))
    if announced:
        found.setdefault(f"{announced}{port}", "by name; stays when the number changes")
    name = socket.gethostname().partition(".")[0]
    if _ADDRESS.fullmatch(name):
        found.setdefault(f"{name}.local{port}", "by name, where your network knows names")
    wanted = request.args.get("address", "").strip()
    if wanted and wanted not in found and _ADDRESS.fullmatch(wanted) and is_at_home(wanted):
        found[wanted] = "as you typed it"
    if not found:
        found[request.host] = "this computer alone"
    chosen = wanted if wanted in found else next(iter(found))
    return [Address(value, words, value == chosen) for value, words in found.items()]


def _adapter_words(adapter: Adapter) -> str:
    if adapter.has_default_route:
        return f"recommended, {adapter.name}"
    return f"{_KINDS_OF_ADDRESS[adapter.kind]}, {adapter.name}"


def _chosen(addresses: list[Address]) -> str:
    return next(address.value for address in addresses if address.is_chosen)
