"""Every operation of the description is tried with what it allows and with what it forbids: it never crashes, and never
answers otherwise than it says."""

from __future__ import annotations

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from appliance.domain.key import Scope
from tests import hostile
from tests.fixtures.house import a_phone, settings_of

DESCRIPTION = "/api/v1/openapi.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
# An upload takes whatever a body holds and says what became of it; that is its task and no lack of checks.
TAKES_ANYTHING = {"/api/v1/ingest", "/v1/ingest", "/api/data"}
TRIES = int(os.environ.get("HEARTHBEAT_FUZZ_EXAMPLES", "8"))


def attempt(operation, mode, key):
    """Send what the description allows of one operation, or forbids, and hold the answers against it."""
    refuses = mode is GenerationMode.NEGATIVE and operation.path not in TAKES_ANYTHING
    checks = [*CHECKS, negative_data_rejection] if refuses else CHECKS

    @settings(
        max_examples=TRIES,
        derandomize=bool(os.environ.get("CI")),
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def once(case):
        headers = {"X-API-Key": key}
        case.validate_response(case.call(headers=headers), checks=checks, headers=headers)

    once()


@settings_of(limit_requests_per_hour=10**9, limit_failed_attempts=10**6)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_every_operation_does_what_it_says(app, services, phone, mode):
    for body in hostile.good():
        phone.send(body)
    wrong = []
    for found in schemathesis.openapi.from_wsgi(DESCRIPTION, app).get_all_operations():
        operation = found.ok()
        key = a_phone(
            app, services, "Anna", list(Scope)
        ).key  # one operation may revoke the key it is tried with
        try:
            attempt(operation, mode, key)
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation.label  # it takes nothing that could be wrong
        except Exception as error:  # noqa: BLE001  all that are wrong are told at once
            wrong.append(f"{operation.label}: {error}")
    assert not wrong, "\n\n".join(wrong)
    assert services.telemetry.stumbles._value.get() == 0
