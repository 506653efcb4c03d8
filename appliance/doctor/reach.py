"""Whether a phone can reach the appliance: address, port, network, firewall."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from appliance.doctor.finding import Finding, Found, Patient, broken, fine, run, worth_knowing
from appliance.foundation.network import Adapter, adapters

SELF_TEST_S = 3
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  the words for it
_UFW = Path("/etc/ufw/ufw.conf")
# Never through a proxy that this computer may be set up with.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def port_of(patient: Patient) -> int:
    """Return the port phones use: the one really served, else the one that is set."""
    if patient.serving is not None:
        return urlsplit(patient.serving.url).port or patient.settings.port
    return patient.settings.port


def check_port(patient: Patient) -> Found:
    """Look whether the port is ours, free, or somebody else's."""
    if patient.serving is not None:
        return [fine(f"Port {port_of(patient)} is ours.")]
    host, port = patient.settings.host, patient.settings.port
    if port == 0:
        return [fine("Any free port is taken at the start; a phone needs one that stays (setting port).")]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if os.name == "posix":  # elsewhere this would let two listen at once
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return [
                    broken(
                        f"Port {port} is taken by {_listener(port) or 'another program'}.",
                        "Stop that one, or choose another port with --port (then change it on the phones, too).",
                    )
                ]
            return [
                broken(
                    f"Hearthbeat cannot listen on {host}:{port}: {error.strerror or error}.",
                    "Correct the settings host and port; ports below 1024 are for root alone.",
                )
            ]
    return [fine(f"Port {port} is free.")]


def _listener(port: int) -> str | None:
    """Return who listens on a port, as far as we may know."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet"):
            at = connection.laddr
            if connection.status == psutil.CONN_LISTEN and at and at.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None


def check_address(patient: Patient) -> Iterator[Finding]:
    """Look which addresses a phone can use."""
    host = patient.settings.host
    if _is_loopback(host):
        yield worth_knowing(
            f"Hearthbeat listens on {host}, which only this computer reaches, no phone.",
            "Remove the setting host (or set it to 0.0.0.0) if phones shall send here.",
        )
        return
    if host not in EVERYWHERE:
        yield fine(f"Phones reach it at http://{host}:{port_of(patient)}/ alone (setting host).")
        return
    found = adapters()
    likely = [one for one in found if one.kind == "network"]
    if not likely:
        yield worth_knowing(
            "This computer has no address on a network now.", "Connect it to the network the phones are in."
        )
    for one in found:
        yield fine(_told(one, port_of(patient)))


def _told(one: Adapter, port: int) -> str:
    if one.kind == "network":
        note = "this one on the phone" if one.has_default_route else "another network"
        return f"http://{one.address}:{port}/ ({one.name}; {note})"
    note = (
        "a VPN; phones in it reach this"
        if one.kind == "vpn"
        else "for containers or virtual machines; no phone reaches it"
    )
    return f"http://{one.address}:{port}/ ({one.name}; {note})"


def check_answer(patient: Patient) -> Found:
    """Ask at the address a phone uses, from here; that a firewall lets others in it cannot show."""
    if patient.serving is None or _is_loopback(patient.settings.host):
        return []
    host = patient.settings.host
    if host in EVERYWHERE:
        likely = [one.address for one in adapters() if one.kind == "network"]
        if not likely:
            return []
        host = likely[0]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port_of(patient)}/healthz"
    try:
        with _opener.open(url, timeout=SELF_TEST_S) as answer:
            answer.read(1000)
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return [
            broken(
                f"{url} does not answer from here ({reason}).",
                "See that the setting host is 0.0.0.0 and restart Hearthbeat; a security program may be in the way.",
            )
        ]
    return [fine(f"{url} answers from here; what a firewall does to a phone only the phone can tell.")]


def check_firewall(patient: Patient) -> Found:
    """Look for a firewall that may keep phones out, and say how to let them in."""
    port = port_of(patient)
    if _is_loopback(patient.settings.host) or port == 0:
        return []
    if sys.platform == "win32":
        return _windows(port)
    if sys.platform == "darwin":
        return _macos()
    return _linux(port)


def _linux(port: int) -> Found:
    return (
        _firewalld(port) or _ufw(port) or _nftables(port) or [fine("No firewall is known to be in the way.")]
    )


def _firewalld(port: int) -> list[Finding]:
    state = run("firewall-cmd", "--state")
    if state is None or state[0] != 0:
        return []
    mend = f"sudo firewall-cmd --permanent --add-port={port}/tcp && sudo firewall-cmd --reload"
    asked = run("firewall-cmd", f"--query-port={port}/tcp")
    if asked is not None and asked[0] == 0:
        return [fine(f"The firewall (firewalld) lets port {port} in.")]
    if asked is not None and asked[1] == "no":
        return [broken(f"The firewall (firewalld) keeps port {port} closed.", mend)]
    return [
        worth_knowing(
            f"A firewall (firewalld) runs, and whether it lets port {port} in we may not ask.", mend
        )
    ]


def _ufw(port: int) -> list[Finding]:
    try:
        if "enabled=yes" not in _UFW.read_text(encoding="utf-8").lower().replace(" ", ""):
            return []
    except OSError:
        return []
    mend = f"sudo ufw allow {port}/tcp comment Hearthbeat"
    asked = run("ufw", "status")
    if asked is None or asked[0] != 0:  # only root may ask
        return [
            worth_knowing(
                f"A firewall (ufw) is on; whether it lets port {port} in only root can see (sudo ufw status).",
                mend,
            )
        ]
    if "inactive" in asked[1]:
        return []
    allowed = [line for line in asked[1].splitlines() if "ALLOW" in line]
    if any(line.split()[0] in (str(port), f"{port}/tcp") for line in allowed):
        return [fine(f"The firewall (ufw) lets port {port} in.")]
    return [broken(f"The firewall (ufw) has no rule that lets port {port} in.", mend)]


def _nftables(port: int) -> list[Finding]:
    asked = run("nft", "list", "chains") if os.geteuid() == 0 else None
    if asked is None or asked[0] != 0:
        return []
    chains = [" ".join(part.split()) for part in asked[1].split("chain ")]
    if not any("hook input" in chain and "policy drop" in chain for chain in chains):
        return []
    return [
        worth_knowing(
            f"This computer's packet filter (nftables) drops what no rule lets in; port {port} may need one.",
            f"For your own table and chain: sudo nft add rule inet filter input tcp dport {port} accept",
        )
    ]


def _windows(port: int) -> Found:
    # The name is the one of the rule we propose; other rules may let the port in as well.
    asked = run("netsh", "advfirewall", "firewall", "show", "rule", "name=Hearthbeat")
    if asked is not None and asked[0] == 0:
        return [fine("The Windows firewall has a rule named Hearthbeat.")]
    return [
        worth_knowing(
            f"The Windows firewall may keep phones out: it has no rule named Hearthbeat for port {port}.",
            "In PowerShell as administrator: New-NetFirewallRule -DisplayName Hearthbeat -Direction Inbound"
            f" -Protocol TCP -LocalPort {port} -Action Allow -Profile Private",
        )
    ]


def _macos() -> Found:
    asked = run("socketfilterfw", "--getglobalstate")
    if asked is None or "disabled" in asked[1].lower():
        return [fine("The macOS firewall is off, or cannot be asked.")]
    python = os.path.realpath(sys.executable)
    listed = run("socketfilterfw", "--getappblocked", python)
    if listed is not None and "permitted" in listed[1].lower():
        return [fine("The macOS firewall lets Python in.")]
    program = "/usr/libexec/ApplicationFirewall/socketfilterfw"
    return [
        worth_knowing(
            "The macOS firewall is on and may keep phones out.",
            f'sudo {program} --add "{python}" && sudo {program} --unblockapp "{python}"'
            " (or allow it when macOS asks, in System Settings, Network, Firewall)",
        )
    ]


def _is_loopback(host: str) -> bool:
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
