"""The notes in the data folder by which the tray, the server and the commands know of each other."""

from __future__ import annotations

import os
import stat

from appliance.foundation.presence import (
    announced,
    ended_without_a_word,
    find_serving,
    find_tray,
    tray_announced,
)


def test_the_note_with_the_secret_is_for_its_owner_alone_and_tells_it_nowhere_else(tmp_path):
    with announced(tmp_path, "http://127.0.0.1:8710/", "s3cret"):
        found = find_serving(tmp_path)
        assert found.secret == "s3cret"
        assert "s3cret" not in repr(found)
        if os.name == "posix":
            assert stat.S_IMODE((tmp_path / "serving.json").stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == []


def test_a_note_of_before_has_no_secret(tmp_path):
    (tmp_path / "serving.json").write_text(f'{{"pid": {os.getpid()}, "url": "http://127.0.0.1/"}}')
    assert find_serving(tmp_path).secret == ""


def test_only_a_server_that_was_killed_leaves_its_note(tmp_path):
    assert not ended_without_a_word(tmp_path)
    with announced(tmp_path, "http://127.0.0.1:8710/", "s"):
        assert not ended_without_a_word(tmp_path)
    assert not ended_without_a_word(tmp_path)
    (tmp_path / "serving.json").write_text('{"pid": 99999999, "url": "http://x/"}')
    assert ended_without_a_word(tmp_path)


def test_a_tray_is_found_while_it_is_there(tmp_path):
    assert find_tray(tmp_path) is None
    with tray_announced(tmp_path, "none", "There is no display here."):
        assert find_tray(tmp_path).reason == "There is no display here."
    assert find_tray(tmp_path) is None
