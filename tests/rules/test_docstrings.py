import ast
import re

from tests.rules.repository import modules, relative


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def test_every_module_says_what_it_is():
    assert modules()
    assert [relative(path) for path in modules() if not docstring(path)] == []


def test_every_package_says_what_it_may_import():
    inits = {path.parent / "__init__.py" for path in modules()}
    silent = [
        relative(init)
        for init in sorted(inits)
        if not init.exists() or not re.search(r"\bimports?\b", docstring(init), re.IGNORECASE)
    ]
    assert silent == []
