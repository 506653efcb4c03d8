"""Runs the migrations on the connection that `appliance.storage.migrate` hands over."""

from __future__ import annotations

from alembic import context

from appliance.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
