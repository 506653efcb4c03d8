"""A JSON text laid out for reading, without understanding it: every character outside blanks stays as it was sent.

So it works for a text that is cut off, and for one that is no JSON at all, and no number is spelt anew.
"""

from __future__ import annotations

import re

_DEEPEST = 24  # further in, lines no longer move to the right
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{},:]|\s+|[^"\[\]{},:\s]+', re.DOTALL)
_CLOSED = {"[": "]", "{": "}"}


def laid_out(text: str) -> str:
    """Return the text with one line an item and two blanks a level."""
    pieces: list[str] = []
    depth = 0
    sent = [piece for piece in _PIECE.findall(text) if not piece.isspace()]
    for n, piece in enumerate(sent):
        following = sent[n + 1] if n + 1 < len(sent) else ""
        if piece in _CLOSED:
            depth += 1
            pieces.append(piece if following == _CLOSED[piece] else piece + _line(depth))
        elif piece in ("]", "}"):
            depth = max(depth - 1, 0)
            is_empty = n > 0 and _CLOSED.get(sent[n - 1]) == piece
            pieces.append(piece if is_empty else _line(depth) + piece)
        elif piece == ",":
            pieces.append(piece + _line(depth))
        elif piece == ":":
            pieces.append(": ")
        else:
            pieces.append(piece)
    return "".join(pieces)


def is_json_like(text: str) -> bool:
    """Whether a text begins as a JSON object or array does."""
    return text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST)
