from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from appliance.api.export import Format
from appliance.api.table import ROUTES
from tests.fixtures.documents import document, hours, metric, point

KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}
RESOURCES = {"script", "img", "iframe", "object", "embed", "audio", "video", "source", "link"}


@pytest.fixture
def described(app):
    answer = app.test_client().get("/api/v1/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    return answer.get_json()


def as_described(route):
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path)


def references(value):
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_the_description_has_the_form_of_openapi_3_1(described):
    assert described["openapi"] == "3.1.0"
    assert {"title", "version"} <= described["info"].keys()
    schemas = described["components"]["schemas"]
    assert {
        reference.removeprefix("#/components/schemas/") for reference in references(described)
    } <= schemas.keys()
    ids = []
    for path, methods in described["paths"].items():
        assert path.startswith("/")
        for method, operation in methods.items():
            assert method in {"get", "post", "put", "patch", "delete"}
            ids.append(operation["operationId"])
            assert operation["responses"]
            for status, answer in operation["responses"].items():
                assert re.fullmatch(r"[1-5]\d\d|default", status)
                assert answer["description"]
            places = [(parameter["in"], parameter["name"]) for parameter in operation["parameters"]]
            assert len(places) == len(set(places))
            assert set(re.findall(r"{(\w+)}", path)) == {name for place, name in places if place == "path"}
            for parameter in operation["parameters"]:
                assert parameter["in"] in {"path", "query", "header"}
                assert parameter["schema"]
                assert parameter["in"] != "path" or parameter["required"] is True
            for requirement in operation.get("security", []):
                assert requirement.keys() <= described["components"]["securitySchemes"].keys()
    assert len(ids) == len(set(ids))


def test_every_route_is_described_with_its_scope(described):
    wanted = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.path), route.method.lower()): route for route in ROUTES
    }
    found = {(path, method) for path, methods in described["paths"].items() for method in methods}
    assert found == wanted.keys()
    for (path, method), route in wanted.items():
        operation = described["paths"][path][method]
        assert bool(operation.get("security")) == (route.scope is not None), path
        assert operation["summary"] == route.summary
        if route.scope is not None:
            assert f"“{route.scope}”" in operation["description"]


def fits(value, schema, schemas, place=""):
    """Check a real answer against its schema, as far as ours go."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas, place)
    if "anyOf" in schema:
        assert any(_fits(value, option, schemas) for option in schema["anyOf"]), f"{place}: {value!r}"
        return None
    kind = schema.get("type")
    if kind == "null":
        assert value is None, place
    elif kind is not None:
        assert isinstance(value, KINDS[kind]), f"{place}: {value!r} is no {kind}"
        assert kind == "boolean" or not isinstance(value, bool), place
    if kind == "object":
        declared = schema.get("properties", {})
        assert set(schema.get("required", ())) <= value.keys(), f"{place}: {value.keys()}"
        more = schema.get("additionalProperties")
        if declared and not more:
            assert value.keys() <= declared.keys(), (
                f"{place} tells what is not described: {value.keys() - declared.keys()}"
            )
        for name, item in value.items():
            inner = declared.get(name) or (more if isinstance(more, dict) else {})
            fits(item, inner, schemas, f"{place}.{name}")
    if kind == "array":
        for n, item in enumerate(value):
            fits(item, schema.get("items", {}), schemas, f"{place}[{n}]")
    return None


def _fits(value, schema, schemas):
    try:
        fits(value, schema, schemas)
    except AssertionError:
        return False
    return True


def test_real_answers_are_as_described(described, phone):
    schemas = described["components"]["schemas"]
    body = document(
        metric("step_count", "count", *hours("2026-08-07", range(3)), {"date": "never", "qty": 1}),
        metric("heart_rate", "bpm", point("2026-08-07 10:00", Min=50, Avg=60.5, Max=70, context="rest")),
        metric("aura_brightness", "lm", point("2026-08-07 10:00", 1, None)),
    )
    headers = {"X-API-Key": phone.key}

    def check(method, path, template=None, **options):
        answer = phone.client.open(path, method=method, headers=headers, **options)
        operation = described["paths"][template or path][method.lower()]
        told = operation["responses"].get(str(answer.status_code), operation["responses"]["default"])
        ((media_type, content),) = told["content"].items()
        assert answer.headers["Content-Type"].split(";")[0] == media_type
        fits(answer.get_json(), content["schema"], schemas, f"{method} {path}")
        return answer.status_code

    assert check("POST", "/api/v1/ingest", json=body) == 200
    assert check("POST", "/api/v1/ingest", json={}) == 400
    assert check("GET", "/api/v1/uploads") == 200
    for upload in (1, 2):
        assert check("GET", f"/api/v1/uploads/{upload}", "/api/v1/uploads/{upload_id}") == 200
    assert check("GET", "/api/v1/uploads/99", "/api/v1/uploads/{upload_id}") == 404
    assert check("GET", "/api/v1/metrics") == 200
    for name in ("step_count", "heart_rate", "aura_brightness"):
        assert check("GET", f"/api/v1/metrics/{name}/samples", "/api/v1/metrics/{key}/samples") == 200
        assert check("GET", f"/api/v1/metrics/{name}/series", "/api/v1/metrics/{key}/series") == 200
    assert check("POST", "/api/v1/keys", json={"name": "Ring", "expires_days": 3}) == 201
    assert check("GET", "/api/v1/keys") == 200
    for path in ("/healthz", "/readyz", "/api/v1/status"):
        assert check("GET", path) == 200


class Page(HTMLParser):
    """What a page would load, and what it would run."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.inline = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.loads += [given[name] for name in ("src", "href") if name in given and tag in RESOURCES]


@pytest.mark.parametrize("path", ["/login", "/api/v1/docs"])
def test_a_page_runs_nothing_inline_and_loads_nothing_from_elsewhere(app, path):
    client = app.test_client()
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "http" not in answer.headers["Content-Security-Policy"]
    page = Page(answer.text)
    assert {"html", "title", "h1", "main"} <= set(page.tags)
    assert page.inline == []
    for address in page.loads:
        assert address.startswith("/"), address
        assert not address.startswith("//")
        with client.get(address) as loaded:
            assert loaded.status_code == 200, address


def test_the_page_of_the_api_shows_every_route(app):
    text = app.test_client().get("/api/v1/docs").text
    for route in ROUTES:
        assert f"{route.method} {as_described(route)}</code>" in text


def test_every_answer_forbids_what_nobody_needs(app, phone):
    for path in ("/healthz", "/", "/nothing", "/api/v1/openapi.json", "/api/v1/docs.css", "/login"):
        with app.test_client().get(path) as answer:
            headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] in ("no-referrer", "same-origin"), path
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("written", list(Format))
def test_an_export_is_of_a_type_that_is_described(described, phone, written):
    answer = phone.client.get(f"/api/v1/export?format={written}", headers={"X-API-Key": phone.key})
    told = described["paths"]["/api/v1/export"]["get"]["responses"]["200"]["content"]
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].split(";")[0] in told
