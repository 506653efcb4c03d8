"""The addresses of this computer, as a phone on the same network would use them."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

import psutil

# By what systems and programs call them; a phone at home reaches none of these.
_VIRTUAL = re.compile(
    r"docker|br-|veth|virbr|vbox|vmnet|vethernet|wsl|podman|cni|lxc|lxd|bridge\d|awdl|llw|anpi|hyper-v",
    re.IGNORECASE,
)
_VPN = re.compile(r"tun|tap|wg|utun|ppp|ipsec|tailscale|zt|nordlynx|proton|vpn|gpd", re.IGNORECASE)
_PORT = re.compile(r":\d*\Z", re.ASCII)

# Endings that routers give to names at home and nobody on the internet can register. Just any ending after our own
# name would not do: “localhost.” and the usual names of small computers can be put before every domain.
HOME_SUFFIXES = (
    ".local",
    ".localhost",
    ".home.arpa",
    ".lan",
    ".internal",
    ".home",
    ".localdomain",
    ".intranet",
    ".fritz.box",
)


@dataclass(frozen=True, slots=True)
class Adapter:
    """One IPv4 address of this computer. `kind` is "network", "virtual" (containers and the like) or "vpn"."""

    name: str
    address: str
    kind: str
    has_default_route: bool


def lan_address() -> str | None:
    """Return this computer's address on the network of its default route, or None without one.

    No packet is sent: connecting a datagram socket only asks the routing table. The address asked for is one
    reserved for documentation (RFC 5737).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            return None
    return None if address.startswith("127.") else address


def bare_name(place: str) -> str:
    """Return a host's name or address without its port, an IPv6 address without brackets, as names are compared."""
    name = _PORT.sub("", place) if "]" in place or place.count(":") == 1 else place
    return name.strip("[]").rstrip(".").casefold()


def is_at_home(place: str) -> bool:
    """Whether an address or name, with or without a port, can only be a machine in the same house."""
    name = bare_name(place)
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return name.endswith(HOME_SUFFIXES) or "." not in name


def is_loopback(host: str) -> bool:
    """Whether who listens on this address, or name, hears this computer alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def adapters() -> list[Adapter]:
    """Return the addresses others might reach, likeliest first."""
    default = lan_address()
    states = psutil.net_if_stats()
    found = [
        Adapter(name, each.address, _kind(name), each.address == default)
        for name, addresses in psutil.net_if_addrs().items()
        if name not in states or states[name].isup
        for each in addresses
        if each.family == socket.AF_INET and _can_be_reached(each.address)
    ]
    return sorted(found, key=lambda one: (one.kind != "network", not one.has_default_route, one.name))


def _can_be_reached(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)


def _kind(name: str) -> str:
    if _VIRTUAL.match(name):
        return "virtual"
    return "vpn" if _VPN.match(name) else "network"
