"""What `lint-imports` cannot see: that every package of ours is under its rules."""

import tomllib

from tests.rules.repository import PACKAGES, ROOT


def test_every_package_is_under_the_layer_rule_and_in_the_wheel():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    packages = sorted(init.parent.name for init in ROOT.glob("*/__init__.py") if init.parent.name != "tests")
    assert packages == sorted(PACKAGES)
    assert sorted(tools["importlinter"]["root_packages"]) == packages
    assert sorted(tools["hatch"]["build"]["targets"]["wheel"]["packages"]) == packages
