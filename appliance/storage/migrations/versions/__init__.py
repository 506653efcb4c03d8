"""One file a change; each imports Alembic only."""
