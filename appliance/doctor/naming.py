"""Whether a phone finds the appliance by its name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from appliance.doctor.finding import Finding, Patient, fine, worth_knowing
from appliance.doctor.reach import port_of
from appliance.foundation.network import adapters, is_loopback
from appliance.services.announcing import addresses_of, kept_label

_MULTICAST_MENDS = {
    "win32": "In PowerShell as administrator: New-NetFirewallRule -DisplayName 'Hearthbeat name' -Direction Inbound"
    " -Protocol UDP -LocalPort 5353 -Action Allow -Profile Private",
    "darwin": "Allow Python incoming connections in System Settings, Network, Firewall, Options.",
}
_MULTICAST_MEND = (
    "sudo ufw allow 5353/udp, or sudo firewall-cmd --permanent --add-service=mdns && sudo firewall-cmd --reload;"
    " phones reach it by number meanwhile."
)


def check_name(patient: Patient, look_up: Callable[[str], set[str]] = addresses_of) -> Iterator[Finding]:
    """Ask the network for our own name, as a phone does."""
    settings = patient.settings
    if patient.serving is None or is_loopback(settings.host):
        return
    if not settings.announce:
        yield fine("This network is told no name (setting announce); phones use the number.")
        return
    label = kept_label(settings.data_dir)
    if label is None:
        yield worth_knowing(
            "This network has been told no name yet.",
            "Wait a minute after the start; the log says “not_announced” if that lasts. Phones reach it by number meanwhile.",
        )
        return
    found = look_up(label)
    if not found:
        yield worth_knowing(
            f"Nobody on this network answers for {label}.local; a firewall may keep multicast DNS (UDP port 5353) out.",
            _MULTICAST_MENDS.get(sys.platform, _MULTICAST_MEND),
        )
    elif strangers := found - {one.address for one in adapters()}:
        yield worth_knowing(
            f"{label}.local leads to another computer as well ({', '.join(sorted(strangers))}).",
            "Restart Hearthbeat here, then it takes another name.",
        )
    else:
        yield fine(f"On this network it is found as http://{label}.local:{port_of(patient)}/.")
