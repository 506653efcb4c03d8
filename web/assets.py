"""The built front end: file names with their content's hash in them, so that browsers may keep them for ever."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, request, send_from_directory
from markupsafe import Markup, escape

BUILT = Path(__file__).parent / "built"
ENTRY = "src/main.ts"
FOR_EVER = "public, max-age=31536000, immutable"


class NotBuilt(RuntimeError):
    """The front end was not built; `python installer/build_web.py` does it."""


@cache
def _manifest() -> dict[str, Any]:
    try:
        return dict(json.loads((BUILT / "manifest.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NotBuilt("The dashboard's front end is not built; install Hearthbeat again.") from None


def head() -> Markup:
    """Return the tags that load styles and scripts."""
    entry = _manifest()[ENTRY]
    styles = "".join(
        f'<link rel="stylesheet" href="/assets/{escape(name)}">' for name in entry.get("css", ())
    )
    return Markup(f'{styles}<script type="module" src="/assets/{escape(entry["file"])}"></script>')  # noqa: S704  our own names


def serve_assets(blueprint: Blueprint) -> None:
    """Answer `/assets/…`, packed where the browser takes it packed."""

    @blueprint.get("/assets/<name>", endpoint="asset")
    def asset(name: str) -> Response:
        if not (BUILT / name).is_file() or name.endswith(".gz") or name == "manifest.json":
            abort(404)
        packed = (BUILT / f"{name}.gz").is_file() and "gzip" in request.headers.get("Accept-Encoding", "")
        response = send_from_directory(BUILT, f"{name}.gz" if packed else name, conditional=not packed)
        if packed:
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Content-Type"] = {
                "js": "text/javascript; charset=utf-8",
                "css": "text/css; charset=utf-8",
            }.get(name.rpartition(".")[2], "application/octet-stream")
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = FOR_EVER
        return response
