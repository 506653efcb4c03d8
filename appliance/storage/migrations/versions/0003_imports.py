"""Imports of a person's past: each file, how far it has been taken over, and what became of what it holds."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """
    CREATE TABLE import_run (
        person_id BIGINT NOT NULL,
        upload_id BIGINT NOT NULL,
        digest BYTEA NOT NULL,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        done BIGINT DEFAULT 0 NOT NULL,
        total BIGINT DEFAULT 0 NOT NULL,
        elements BIGINT DEFAULT 0 NOT NULL,
        bytes_per_s BIGINT DEFAULT 0 NOT NULL,
        stop_asked BOOLEAN DEFAULT false NOT NULL,
        content JSONB DEFAULT '{}' NOT NULL,
        kinds JSONB DEFAULT '{}' NOT NULL,
        metrics JSONB DEFAULT '{}' NOT NULL,
        started_at TIMESTAMP WITH TIME ZONE NOT NULL,
        seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
        finished_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT import_run_pkey PRIMARY KEY (person_id, upload_id),
        CONSTRAINT import_run_state_check CHECK (state IN ('running', 'stopped', 'done', 'cut', 'undone')),
        CONSTRAINT import_run_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX import_run_person_id_digest_idx ON import_run (person_id, digest)
    """,
    """
    COMMENT ON TABLE import_run IS 'Files of a person''s past that were, or are being, imported'
    """,
    """
    COMMENT ON COLUMN import_run.upload_id IS 'What it brought is of this upload'
    """,
    """
    COMMENT ON COLUMN import_run.digest IS 'Of the file''s bytes, so that it is known again'
    """,
    """
    COMMENT ON COLUMN import_run.name IS 'Of the file, as a person knows it'
    """,
    """
    COMMENT ON COLUMN import_run.done IS 'Bytes read and committed'
    """,
    """
    COMMENT ON COLUMN import_run.total IS 'Bytes to read'
    """,
    """
    COMMENT ON COLUMN import_run.elements IS 'Elements or items read'
    """,
    """
    COMMENT ON COLUMN import_run.bytes_per_s IS 'How fast it is going'
    """,
    """
    COMMENT ON COLUMN import_run.stop_asked IS 'Whether it is to stop after the part it is at, wherever it runs'
    """,
    """
    COMMENT ON COLUMN import_run.content IS 'What the file tells of itself'
    """,
    """
    COMMENT ON COLUMN import_run.seen_at IS 'When it was last known to be at work'
    """,
    """
    COMMENT ON COLUMN import_run.kinds IS 'What became of its items, by kind'
    """,
    """
    COMMENT ON COLUMN import_run.metrics IS 'The same of its samples, by metric'
    """,
)


def upgrade() -> None:
    """Add what is new; nothing that was there changes its meaning."""
    for statement in STATEMENTS:
        op.execute(statement)
