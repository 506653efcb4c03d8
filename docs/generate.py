"""Write the documentation pages that are made from the program itself, so that they cannot drift from it.

    python docs/generate.py            write every page
    python docs/generate.py --check    write nothing; exit 1 and name the pages that are stale

A page is one entry of `PAGES`. May import anything of Hearthbeat; nothing imports this.
"""  # noqa: INP001  a program in a folder of pages, not a package

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))  # so that it works without installing the project first

from pydantic import SecretStr  # noqa: E402
from pydantic_core import PydanticUndefined  # noqa: E402

from appliance.catalog.load import Catalogue, load_catalogue  # noqa: E402
from appliance.catalog.names import fold_name  # noqa: E402
from appliance.foundation.settings import FILE_NAME, PREFIX, Settings  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pydantic.fields import FieldInfo

    from appliance.catalog.rows import Category, Metric, WorkoutType

MADE_FROM = "<!-- Made by docs/generate.py from {source}; change that, not this page. -->"

DAY_VALUES = {"sum": "sum", "avg": "average", "last": "last", "max": "highest"}

# Defaults that depend on the computer; a page must not tell where it happened to be made.
COMPUTED_DEFAULTS = {
    "data_dir": (
        "Linux: `~/.local/share/hearthbeat` (`$XDG_DATA_HOME/hearthbeat` when that is set), as root `/var/lib/hearthbeat`; "
        r"macOS: `~/Library/Application Support/hearthbeat`; Windows: `%LOCALAPPDATA%\hearthbeat`"
    ),
    "time_zone": "empty: the computer's own",
}


def metrics_page() -> str:
    """Return the page of everything the catalogue knows by name."""
    catalogue = load_catalogue()
    lines = [
        "# Metrics",
        "",
        MADE_FROM.format(source="appliance/catalog/data"),
        "",
        (
            f"Hearthbeat knows {len(catalogue.metrics)} metrics, {len(catalogue.categories)} kinds of events and "
            f"{len(catalogue.workout_types)} workout types by name. Anything else you send is kept too, under its own name "
            "and unit, and becomes known when a row is added to `appliance/catalog/data`; its columns are described in the "
            "README there."
        ),
        "",
        (
            "**Unit** is what values are kept and shown in. Values in one of the **accepted units** are converted on arrival; "
            "a value in any other unit is set aside, never guessed. **Day** is how one day's value is formed. Values outside "
            "the **plausible range** are set aside. In the names, capitals, spaces and punctuation make no difference."
        ),
        "",
        *_metric_tables(catalogue),
        *_compound_table(catalogue),
        "## Events",
        "",
        *_table(
            ("Name", "Key", "Values", "Also known as"), map(_category_cells, catalogue.categories.values())
        ),
        "",
        "## Workouts",
        "",
        *_table(
            ("Name", "Key", "Distance counts as", "Also known as"),
            map(_workout_cells, catalogue.workout_types.values()),
        ),
    ]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Return the page of every setting, from the class that defines them."""
    lines = [
        "# Settings",
        "",
        MADE_FROM.format(source="appliance/foundation/settings.py"),
        "",
        "A setting is looked for in these places; a later one wins over an earlier one:",
        "",
        "1. the default below,",
        f"2. `{FILE_NAME}` in the data folder, as `port = 8710`,",
        (
            f"3. the environment, as `{PREFIX}PORT=8710`; for every variable, `{PREFIX}…_FILE` may name a file that holds the "
            "value instead, which keeps secrets out of the environment,"
        ),
        "4. the command line.",
        "",
        (
            "A setting that does not exist or has a value it cannot have stops the start with one sentence that names it and "
            "the place it came from."
        ),
        "",
        *_table(
            ("Setting", "Environment variable", "Default", "Allowed", "Meaning"),
            (_setting_cells(name, field) for name, field in Settings.model_fields.items()),
        ),
    ]
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "metrics.md": metrics_page,
    "settings.md": settings_page,
}


def stale_pages() -> list[str]:
    """Return the names of the pages that differ from what the program would write now."""
    return [name for name, page in PAGES.items() if _read(DOCS / name) != page()]


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with `--check` only compare them. Returns the exit status."""
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/generate.py [--check]\n")
        return 2
    stale = stale_pages()
    if arguments:
        for name in stale:
            sys.stderr.write(f"docs/{name} is stale; run: python docs/generate.py\n")
        return 1 if stale else 0
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8", newline="\n")
        sys.stdout.write(f"docs/{name} written\n")
    return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _metric_tables(catalogue: Catalogue) -> list[str]:
    by_category: dict[str, list[Metric]] = {}
    for metric in catalogue.metrics.values():
        by_category.setdefault(metric.category, []).append(metric)
    columns = ("Name", "Key", "Unit", "Accepted units", "Day", "Plausible range", "Also known as")
    lines: list[str] = []
    for category, metrics in by_category.items():
        lines += [f"## {category.capitalize()}", "", *_table(columns, map(_metric_cells, metrics)), ""]
    return lines


def _metric_cells(metric: Metric) -> tuple[str, ...]:
    names = (metric.hk_identifier, metric.hae_name, *metric.aliases)
    return (
        metric.display_name,
        _code(metric.key),
        _code(metric.unit),
        _codes(metric.accepted_units),
        DAY_VALUES[metric.aggregate],
        f"{_number(metric.plausible_min)} to {_number(metric.plausible_max)}",
        _names(metric.key, names),
    )


def _compound_table(catalogue: Catalogue) -> list[str]:
    cells = (
        (_code(field.hae_name), _code(field.field), _code(field.key), _code(field.unit), field.notes)
        for field in catalogue.compound_fields.values()
    )
    return [
        "## Points that carry several values",
        "",
        *_table(("Sent as", "Field", "Belongs to", "Unit", "Note"), cells),
        "",
    ]


def _category_cells(category: Category) -> tuple[str, ...]:
    return (
        category.display_name,
        _code(category.key),
        ", ".join(category.values.values()),
        _names(category.key, (category.hk_identifier, *category.aliases)),
    )


def _workout_cells(workout: WorkoutType) -> tuple[str, ...]:
    return (
        workout.display_name,
        _code(workout.key),
        _code(workout.distance_metric) if workout.distance_metric else "",
        _names(workout.key, (workout.hk_identifier, *workout.hae_names, *workout.aliases)),
    )


def _setting_cells(name: str, field: FieldInfo) -> tuple[str, ...]:
    meaning = field.description or ""
    if field.annotation is SecretStr:
        meaning += " Secret: never shown or logged."
    return (_code(name), _code(PREFIX + name.upper()), _default(name, field), _allowed(field), meaning)


def _default(name: str, field: FieldInfo) -> str:
    if name in COMPUTED_DEFAULTS:
        return COMPUTED_DEFAULTS[name]
    if field.default is PydanticUndefined:
        raise LookupError(f"The default of “{name}” is computed; describe it in COMPUTED_DEFAULTS.")
    default: Any = field.default
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    return "empty" if default in ("", None) else _code(str(default))


def _allowed(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return _codes(str(choice) for choice in get_args(field.annotation))
    low = next((limit.ge for limit in field.metadata if hasattr(limit, "ge")), None)
    high = next((limit.le for limit in field.metadata if hasattr(limit, "le")), None)
    if low is None:
        return ""
    return f"{low} or more" if high is None else f"{low} to {high}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [_line(columns), _line(["---"] * len(columns)), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _code(text: str) -> str:
    return f"`{text}`"


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(_code(text) for text in dict.fromkeys(texts))


def _names(key: str, names: Iterable[str | None]) -> str:
    different = {fold_name(name): name for name in names if name}
    different.pop(fold_name(key), None)
    return _codes(different.values())


def _number(number: float) -> str:
    return f"{int(number):,}" if number.is_integer() else f"{number:,}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
