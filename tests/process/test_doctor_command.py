from __future__ import annotations

import json
import socket

from tests.fixtures.program import hearthbeat


def test_a_server_that_runs_well_is_told_so(serving):
    done = hearthbeat("doctor", "--json", data_dir=serving.data_dir, check=False)
    found = json.loads(done.stdout)
    problems = [each for each in found if each["level"] == "problem"]
    assert (done.returncode, problems, done.stderr) == (0, [], "")
    told = {each["check"]: each["told"] for each in found}
    assert f"runs at {serving.url}" in told["server"]
    assert "ours" in told["port"]
    assert "no key yet" in told["keys"]
    assert all(each["mend"] for each in found if each["level"] != "ok")


def test_a_computer_where_everything_is_wrong_gets_its_mends_and_no_traceback(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    data_dir.chmod(0o777)
    (data_dir / "serving.json").write_text("{ torn")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        options = ("--host", "127.0.0.1", "--port", port, "--redis-url", "redis://127.0.0.1:1/0")
        done = hearthbeat(
            "doctor", *options, "--database-url", "postgresql://127.0.0.1:1/x", data_dir=data_dir, check=False
        )
    assert (done.returncode, done.stderr) == (1, "")
    for said in (
        "mode 0777",
        "chmod 700",
        f"Port {port} is taken by",
        "database_url",
        "redis_url",
        "no phone",
        "serve",
    ):
        assert said in done.stdout
    assert "problems and" in done.stdout.splitlines()[-1]
