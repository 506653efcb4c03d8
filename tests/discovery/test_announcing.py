from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from appliance.foundation.settings import Settings
from appliance.services.announcing import Announcing, kept_label
from tests.fixtures.program import ROOT, environment


def test_two_on_one_network_find_each_other_under_names_of_their_own(tmp_path):
    # Who is not root is made so in a namespace of users, where the system allows it.
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    done = subprocess.run(
        [*unshare, sys.executable, "-m", "tests.discovery.two_networks", str(tmp_path)],
        cwd=ROOT,
        env=environment() | {"HEARTHBEAT_ANNOUNCE": "true"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["names"] == ["hearthbeat.local", "hearthbeat-2.local"]
    both = {"hearthbeat.local": ["10.99.0.1", 8710], "hearthbeat-2.local": ["10.99.0.2", 8711]}
    assert told["found"] == {"from one": both, "from two": both}
    assert [each["addresses"] for each in told["asked"]] == [["10.99.0.1"], ["10.99.0.2"]]
    assert told["moved"] == both | {"hearthbeat-2.local": ["10.99.0.3", 8711]}, "after its address changed"
    assert told["again"] == "hearthbeat-2.local", "phones remember the name, so it is kept"


@pytest.mark.parametrize("settings", [{"announce": False}, {"host": "127.0.0.1"}], ids=str)
def test_nothing_is_announced_that_shall_not_or_cannot_be_found(tmp_path, settings):
    announcing = Announcing(Settings(data_dir=tmp_path, **settings))
    announcing.begin(8710)
    assert announcing._thread is None
    assert announcing.host_name is None
    announcing.end()


@pytest.mark.parametrize(
    "content", ["", "other", "hearthbeat.evil.example", "hearthbeat-2\nx", "hearthbeat-1000"]
)
def test_a_name_that_is_not_ours_is_not_taken_from_the_file(tmp_path, content):
    (tmp_path / "host-name").write_text(content)
    assert kept_label(tmp_path) is None
