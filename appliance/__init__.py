"""Hearthbeat's server: one direction of imports, from the command line down to the foundation.

The map is `docs/architecture.md`; the rule is a test (import-linter, see `pyproject.toml`).
"""
