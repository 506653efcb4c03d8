"""The description of the API: OpenAPI 3.1 made from the route table, and a page that shows it.

Our own few lines rather than a framework: the table already holds everything, and pydantic writes the schemas.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flask import render_template
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from appliance.api.answers import Problem
from appliance.api.routes import Answer, Call, Query, Route
from appliance.domain.key import Scope

TITLE = "Hearthbeat"
_REFERENCE = "#/components/schemas/{model}"
_PATH_PART = re.compile(r"<(?:(\w+):)?(\w+)>")
_UPLOAD_TYPES = ("application/json", "multipart/form-data", "text/csv")
_UPLOAD_HEADERS = {
    "automation-name": "The automation's name on the phone.",
    "automation-id": "The automation's identity.",
    "automation-aggregation": "Time grouping: Seconds, Minutes, Hours, Days, Weeks, Months, Years or Default.",
    "automation-period": "Export window, as Today or Since Last Sync.",
    "session-id": "One run of the automation.",
    "Content-Encoding": "gzip, or none.",
}


def describe(routes: tuple[Route, ...]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these routes."""
    models = {model for route in routes for model in (route.answer, route.body) if model} | {Problem}
    _, definitions = models_json_schema(
        [
            (model, "serialization" if model.__name__.endswith("Answer") else "validation")
            for model in sorted(models, key=lambda m: m.__name__)
        ],
        ref_template=_REFERENCE,
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(_PATH_PART.sub(r"{\2}", route.path), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": version("hearthbeat"),
            "description": "Receives Apple Health data from the phone, keeps all of it, and can say why every number is what it is.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: hb_…"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    told: dict[str, Any] = {
        "summary": route.summary,
        "operationId": re.sub(r"\W+", "_", f"{route.method}_{route.path}".lower()).strip("_"),
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {str(route.status): _answer(route), "default": _problem()},
    }
    if route.scope is not None:
        told["security"] = [{"bearer": []}, {"header": []}]
        told["description"] = f"Needs an API key with the scope “{route.scope}”."
    if route.body is not None:
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(route.body)}},
        }
    if route.admits_itself:
        told["requestBody"] = {
            "required": True,
            "content": {media: {"schema": {}} for media in _UPLOAD_TYPES},
        }
        told["requestBody"]["content"]["application/json"] = {"schema": {"type": "object"}}
        told["parameters"] += [
            {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
            for name, text in _UPLOAD_HEADERS.items()
        ]
        told["responses"]["202"] = _answer(route) | {
            "description": "Kept, and being worked on; poll /api/v1/uploads/{id}."
        }
    return told


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if kind == "int" else "string"},
        }
        for kind, name in _PATH_PART.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(ref_template=_REFERENCE)
    definitions = schema.get("$defs", {})
    parameters = []
    for name, told in schema.get("properties", {}).items():
        parameters.append(
            {
                "name": name,
                "in": "query",
                "description": told.pop("description", ""),
                "schema": _written_out(told, definitions),
            }
        )
    return parameters


def _written_out(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema with what it refers to in place; parameters have no components to refer to."""
    match schema:
        case {"$ref": str(reference), **rest}:
            return _written_out(definitions[reference.rsplit("/", 1)[-1]], definitions) | rest
        case dict():
            return {name: _written_out(inner, definitions) for name, inner in schema.items()}
        case list():
            return [_written_out(inner, definitions) for inner in schema]
        case _:
            return schema


def _answer(route: Route) -> dict[str, Any]:
    told: dict[str, Any] = {"description": route.summary}
    if route.answer is not None:
        schema = _reference(route.answer)
        content = {"type": "array", "items": schema} if route.answer_is_list else schema
        told["content"] = {media_type: {"schema": content} for media_type in route.media_types}
    elif route.status != 204:
        told["content"] = {media_type: {} for media_type in route.media_types}
    return told


def _problem() -> dict[str, Any]:
    return {
        "description": "What went wrong, and the mend",
        "content": {"application/problem+json": {"schema": _reference(Problem)}},
    }


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def routes(table: Callable[[], tuple[Route, ...]]) -> tuple[Route, ...]:
    """Return the routes that describe the table they are part of."""

    @cache  # it is the same for everybody until the next start, and anybody may ask
    def described() -> dict[str, Any]:
        return describe(table())

    @cache
    def as_json() -> bytes:
        return json.dumps(described(), separators=(",", ":")).encode()

    @cache
    def as_page() -> str:
        return render_template("api_docs.html", api=described(), scopes=list(Scope))

    def show_description(_call: Call) -> Answer:
        return Answer(as_json())

    def show_page(_call: Call) -> Answer:
        page = as_page()
        return Answer(
            page, headers={"Content-Security-Policy": PAGE_POLICY}, content_type="text/html; charset=utf-8"
        )

    def show_style(_call: Call) -> Answer:
        return Answer(_STYLE.read_bytes(), content_type="text/css; charset=utf-8")

    return (
        Route(
            "GET",
            "/api/v1/docs.css",
            show_style,
            "Give the page its looks",
            None,
            query=Query,
            media_types=("text/css",),
        ),
        Route("GET", "/api/v1/openapi.json", show_description, "Describe the API", None, query=Query),
        Route(
            "GET",
            "/api/v1/docs",
            show_page,
            "Show the description as a page",
            None,
            query=Query,
            media_types=("text/html",),
        ),
    )


_STYLE = Path(__file__).parent / "templates" / "docs.css"
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
