"""Nothing here points at somebody else's machine, so nothing here can fetch from or report to one."""

import ipaddress
import re

from tests.rules.repository import ROOT, files, relative, texts

# Host (with all below it) → why a file may name it.
ALLOWED = {
    "example.com": "reserved for examples, RFC 2606",
    "example.net": "reserved for examples, RFC 2606",
    "example.org": "reserved for examples, RFC 2606",
    "example": "reserved for examples, RFC 2606",
    "invalid": "reserved for what must not exist, RFC 2606",
    "test": "reserved for tests, RFC 2606",
    "local": "the home network, RFC 6762",
    "rfc-editor.org": "a standard that a page of documentation quotes",
    "topografix.com": "the namespace of GPX, a name and never fetched",
    "htmx.org": "the name of an npm package, and no address",
    "garmin.com": "the namespace of a GPX extension, a name and never fetched",
    "w3.org": "XML and SVG namespaces, which are names and never fetched",
}

WITH_SCHEME = re.compile(
    r"\b[a-z][a-z0-9+.-]*://(?:[^\s/@\"'<>`]*@)?(\[[0-9a-f:]+\]|[a-z0-9][a-z0-9.-]*)", re.IGNORECASE
)
# A host written without a scheme, as registries and mirrors are in configuration. The dot of a method call or
# of a longer dotted name does not count.
BARE_HOST = re.compile(r"(?<![\w./-])((?:[a-z0-9-]+\.)+(?:com|dev|io|net|org))(?![\w(-]|\.\w)", re.IGNORECASE)
LOCK_FILES = {
    "Pipfile.lock",
    "package-lock.json",
    "pdm.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "yarn.lock",
}


def is_allowed(host):
    host = host.strip("[].").lower()
    try:
        return ipaddress.ip_address(host).is_private or host == "0.0.0.0"
    except ValueError:
        # A name without a dot is a placeholder or a machine in the same house.
        return "." not in host or any(host == name or host.endswith(f".{name}") for name in ALLOWED)


def strange_hosts(text):
    return sorted(
        {host for rule in (WITH_SCHEME, BARE_HOST) for host in rule.findall(text) if not is_allowed(host)}
    )


def test_the_rule_sees_an_address_when_there_is_one():
    stranger = "index.registry" + ".org"
    assert strange_hosts(f"https://{stranger}/simple") == [stranger]
    assert strange_hosts(f"https://localhost:word@{stranger}:8443/simple") == [stranger]
    assert strange_hosts(f"index-url = {stranger}") == [stranger]
    assert (
        strange_hosts("http://127.0.0.1:8642/ http://[::1]/ http://192.168.1.7 https://www.w3.org/2000/svg")
        == []
    )


def test_no_file_names_an_address_that_is_not_ours():
    assert {path: hosts for path, text in texts() if (hosts := strange_hosts(text))} == {}


def test_the_only_locks_are_those_without_addresses():
    locks = [relative(path) for path in files() if path.name in LOCK_FILES or path.name.startswith("pylock.")]
    assert locks == ["web/frontend/package-lock.json"]
    assert not re.search(r'"(resolved|funding)"|://', (ROOT / locks[0]).read_text(encoding="utf-8"))


def test_the_lock_holds_versions_and_hashes_and_nothing_else():
    line_shape = re.compile(
        r"#.*|[a-z0-9-]+==[\w.]+(?: ; [\w.\s'<>=!()]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?"
    )
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line_shape.fullmatch(line)] == []


def test_no_file_remembers_the_machine_it_was_written_on():
    checkout = re.compile(r"(?<![\w.:*}\])~/-])/(?:home|Users|root|work|workspace|builds|tmp)/(?!somebody)\w")
    assert [path for path, text in texts() if checkout.search(text) or str(ROOT) in text] == []
