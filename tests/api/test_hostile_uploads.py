"""Whatever is posted, from the socket to the tables: a refusal in a sentence, or a receipt that the tables agree with."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile

from hypothesis import HealthCheck, given, settings

from tests import hostile
from tests.fixtures.documents import document, metric
from tests.fixtures.house import settings_of
from tests.fixtures.problems import problem_of

EXAMPLES = int(os.environ.get("HEARTHBEAT_FUZZ_EXAMPLES", "40"))
HELD = """
    SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM sleep_segment), (SELECT count(*) FROM quarantine),
           (SELECT coalesce(sum(samples), 0) FROM series), (SELECT count(*) FROM sample)
"""


def post(phone, services, body, **headers):
    answer = phone.post(body, **headers)
    assert services.telemetry.stumbles._value.get() == 0, answer.text
    if answer.status_code != 200:
        assert 400 <= answer.status_code < 500, answer.text
        return problem_of(answer, answer.status_code)
    receipt = answer.get_json()
    for counts in (receipt["counts"], *receipt["kinds"].values()):
        assert counts["received"] == sum(n for name, n in counts.items() if name != "received"), receipt
    return receipt


@settings_of(limit_requests_per_hour=10**9)
def test_a_harmed_upload_is_refused_or_its_receipt_is_what_the_tables_hold(phone, services, ask):
    @settings(
        max_examples=EXAMPLES,
        derandomize=bool(os.environ.get("CI")),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(tree=hostile.documents())
    def once(tree):
        ((before, _, _, _),) = ask(HELD)
        told = post(phone, services, json.dumps(tree).encode())
        ((after, _, counted, samples),) = ask(HELD)
        assert counted == samples
        if "kinds" in told:
            new = sum(counts["stored"] for kind, counts in told["kinds"].items() if kind != "samples")
            assert after - before <= new  # a night of a fuller window makes way for itself
            body = phone.client.get(
                f"/api/v1/uploads/{told['upload_id']}/body", headers={"X-API-Key": phone.key}
            )
            assert body.data == json.dumps(tree).encode()
            page = phone.get("/api/v1/quarantine", limit=200)
            assert page["items"] or not told["counts"]["quarantined"]

    once()


def zipped(content):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export.json", content)
    return target.getvalue()


@settings_of(limit_requests_per_hour=10**6)
def test_what_is_no_document_is_refused_in_a_sentence_and_kept(phone, services):
    for body, headers in (
        (b"", {}),
        (b"null", {}),
        (b"\0" * 1_000, {}),
        (b"[" * 100_000, {}),
        (b'{"data":' * 100_000, {}),
        ('{"data": {}}'.encode("utf-16"), {}),
        (b'{"data": {"metrics": [' + b"9" * 10_000 + b"]}}", {}),
        (zipped(b" " * 2**20), {}),
        (gzip.compress(gzip.compress(b'{"data": {}}')), {"Content_Encoding": "gzip"}),
        (gzip.compress(b'{"data": {}}')[:-1], {"Content_Encoding": "gzip"}),
        (b"--x\r\n" * 10_000, {"Content_Type": "multipart/form-data; boundary=x"}),
        (b"a" * 2**21, {"Content_Type": "text/csv"}),
        (b'"' + b"\n" * 10_000, {"Content_Type": "text/csv"}),
    ):
        told = post(phone, services, body, **headers)
        assert told["status"] in (400, 413, 415), (body[:30], told)
        newest = phone.get("/api/v1/uploads", limit=1)["items"][0]
        assert (newest["status"], newest["size_bytes"]) == ("refused", len(body))
        kept = phone.client.get(
            f"/api/v1/uploads/{newest['upload_id']}/body", headers={"X-API-Key": phone.key}
        )
        assert kept.data == body


def test_absurd_sizes_of_names_sources_and_points_are_taken_in_their_stride(phone, services):
    points = [
        {"date": "2026-08-07 10:00:00 +0200", "qty": 1, "source": source}
        for source in ("x" * 10**6, "ﷺ" * 10**5, "|" * 10**5, " | ".join(f"d{n}" for n in range(10**4)))
    ]
    points.append({"date": "2026-08-07 11:00:00 +0200", "qty": 1} | {f"k{n}": n for n in range(10**4)})
    body = document(
        metric("step_count", "count", *points),
        metric("n" * 10_000, "count", points[0]),
        metric("aura", "u" * 10_000, points[0]),
        **{f"a{n}": [n] for n in range(2_000)},
    )
    receipt = post(phone, services, body)
    assert receipt["counts"]["received"] == 7 + 2_000
    assert receipt["counts"]["quarantined"] == 1 + 2_000
    assert len(json.dumps(receipt)) < 30_000
