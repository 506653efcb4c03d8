"""What a route is, and how a request becomes a call of its view."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, g, request
from pydantic import BaseModel, ConfigDict, ValidationError

from appliance.api.guards import presented_key, visitor_of
from appliance.domain.key import ApiKey, Scope
from appliance.domain.text import storable_text
from appliance.foundation.errors import BadQuery, NotFound, UnsupportedFormat
from appliance.services import Services

MAX_JSON_BODY = 64 * 1024
LARGEST_ID = 2**63 - 1  # Postgres' bigint


class Query(BaseModel):
    """Base of query parameters and small JSON bodies: unknown names are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in, with everything a view may want.

    `person` is whose data it is about and `asker` who asks; both are None on open routes, `key` also for a browser
    that is logged in to the dashboard.
    """

    services: Services
    person: int | None
    asker: int | None
    key: ApiKey | None
    query: Any
    body: Any
    path: Mapping[str, Any]

    @property
    def person_id(self) -> int:
        """Whose data this is about; every read and change stays within them."""
        assert self.person is not None  # noqa: S101  only routes with a scope ask
        return self.person

    @property
    def asker_id(self) -> int:
        """Who asks, for what is about people and keys and not about anybody's health."""
        assert self.asker is not None  # noqa: S101  only routes with a scope ask
        return self.asker


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view returns, with its status and headers: JSON-ready content, ready bytes, or an iterator of bytes.

    An iterator is taken while the client receives it; it must do its checks before it is made, for an error in
    the middle can only break the answer off.
    """

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


View = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table, from which dispatch, the OpenAPI description and the access tests are made.

    `admits_itself` is for the upload, whose way through gate, limits and storage is one service function;
    `owner_only` for what changes or shows the appliance itself (see `appliance.services.people`).
    """

    method: str
    path: str
    view: View
    summary: str
    scope: Scope | None
    answer: type[BaseModel] | None = None
    query: type[Query] | None = None
    body: type[Query] | None = None
    admits_itself: bool = False
    owner_only: bool = False
    status: int = 200
    media_types: tuple[str, ...] = ("application/json",)
    answer_is_list: bool = False


def register(app: Flask, services: Services, routes: tuple[Route, ...]) -> None:
    """Put the whole table into the application."""
    for route in routes:
        app.add_url_rule(
            route.path,
            endpoint=f"{route.method} {route.path}",
            methods=[route.method],
            view_func=_endpoint(route, services),
        )


def _endpoint(route: Route, services: Services) -> Callable[..., Response]:
    def endpoint(**path: Any) -> Response:
        person, asker, key = None, None, None
        if route.scope is not None and not route.admits_itself:
            visitor = visitor_of(services)
            if visitor is not None:
                person, asker = visitor.viewing_id, visitor.person_id
            else:
                admission = services.keys.admit(presented_key(), route.scope, request.remote_addr or "")
                g.allowances = admission.allowances
                key = admission.key
                person = asker = key.person_id
            if route.owner_only:
                services.people.refuse_unless_owner(asker)
        _check_storable(path)
        answer = route.view(
            Call(
                services,
                person,
                asker,
                key,
                _parsed(route.query, request.args.to_dict()) if route.query else None,
                _parsed(route.body, _json_body()) if route.body else None,
                path,
            )
        )
        content = answer.content
        if not isinstance(content, bytes | str | Iterator):
            content = json.dumps(content, separators=(",", ":"))
        return Response(content, answer.status, dict(answer.headers), content_type=answer.content_type)

    return endpoint


def _check_storable(path: Mapping[str, Any]) -> None:
    """Raise `NotFound` for path parts that cannot be in the database, where they would be an error instead."""
    for part in path.values():
        if part > LARGEST_ID if isinstance(part, int) else part != storable_text(part):
            raise NotFound("There is nothing at this address.")


def _json_body() -> Any:
    if not request.is_json:
        raise UnsupportedFormat("Send the body as application/json.")
    if (request.content_length or 0) > MAX_JSON_BODY:
        raise BadQuery("The body is too long.")
    try:
        content = request.get_json(silent=True)
    except RecursionError:
        raise BadQuery("The body is nested too deeply.") from None
    if not isinstance(content, dict):
        raise BadQuery("The body is not a JSON object.")
    return content


def _parsed(model: type[Query], given: Mapping[str, Any]) -> Query:
    for name, value in given.items():
        if isinstance(value, str) and value != storable_text(value):
            raise BadQuery(f"The parameter “{storable_text(name, 60)}” holds a character that no text has.")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "the parameters"
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(model.model_fields)) or "none"
            raise BadQuery(f"There is no parameter “{name[:60]}” here; there are: {known}.") from error
        raise BadQuery(f"The parameter “{name[:60]}” is not valid: {first['msg']}.") from error
