"""How two spellings of a name or of a unit are found to be the same. Imports the standard library only."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Spellings come from uploads and are remembered: nothing longer is known, and memory must not grow with them.
LONGEST = 160

_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_SPACES = re.compile(r"\s+")
_LOOKALIKES = str.maketrans(
    {
        "\N{DOT OPERATOR}": "\N{MIDDLE DOT}",
        "\N{BULLET OPERATOR}": "\N{MIDDLE DOT}",
        "\N{GREEK SMALL LETTER MU}": "\N{MICRO SIGN}",
        "\N{MASCULINE ORDINAL INDICATOR}": "\N{DEGREE SIGN}",
    }
)


@lru_cache(maxsize=4096)
def fold_name(name: str) -> str:
    """Return `name` in lower case with letters and digits only, the form in which names are compared.

    "Stair Speed: Up", "stair_speed:_up" and "stairSpeedUp" are one name. Letters outside a-z stay, so that a
    translated name never shrinks into a known one. Empty when nothing is left or the name is absurdly long.
    """
    if len(name) > LONGEST:
        return ""
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)
    return _NOT_ALPHANUMERIC.sub("", name.casefold())


@lru_cache(maxsize=1024)
def fold_unit(unit: str) -> str:
    """Return `unit` trimmed, single-spaced and with look-alike dots, micro and degree signs made one.

    Case stays, because Cal is not cal and S is not s. Empty when it is absurdly long.
    """
    if len(unit) > LONGEST:
        return ""
    return _SPACES.sub(" ", unit.strip()).translate(_LOOKALIKES)
