"""The schema's history, append-only: each file says why. Applied at start by `appliance.storage.migrate`.

A file imports Alembic only, so that later changes of the house cannot change history.
"""
