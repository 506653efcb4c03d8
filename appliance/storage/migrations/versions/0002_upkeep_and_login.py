"""Upkeep: jobs and their results, near misses, silence, traces; and who may log in to the dashboard."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    """
    ALTER TABLE person
        ADD COLUMN password_hash TEXT,
        ADD COLUMN is_owner BOOLEAN DEFAULT false NOT NULL,
        ADD COLUMN preferences JSONB DEFAULT '{}' NOT NULL
    """,
    """
    UPDATE person SET is_owner = true WHERE person_id = (SELECT min(person_id) FROM person)
    """,
    """
    COMMENT ON COLUMN person.password_hash IS 'argon2id; null for who has no dashboard password of their own'
    """,
    """
    COMMENT ON COLUMN person.is_owner IS 'May change the appliance'
    """,
    """
    COMMENT ON COLUMN person.preferences IS 'Units, goals and the like'
    """,
    """
    ALTER TABLE api_key
        ADD COLUMN disabled_at TIMESTAMP WITH TIME ZONE,
        ADD COLUMN replaced_by BIGINT
    """,
    """
    COMMENT ON COLUMN api_key.disabled_at IS 'Closed for a while; null when it opens'
    """,
    """
    COMMENT ON COLUMN api_key.replaced_by IS 'The key that a rotation made in its place'
    """,
    """
    ALTER TABLE upload
        ADD COLUMN trace JSONB
    """,
    """
    COMMENT ON COLUMN upload.trace IS 'Its steps with their times; null before the first is written'
    """,
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
    """
    CREATE TABLE near_miss (
        near_miss_id BIGINT GENERATED ALWAYS AS IDENTITY,
        address TEXT NOT NULL,
        reason TEXT NOT NULL,
        header TEXT NOT NULL,
        key_id BIGINT NOT NULL,
        automation_name TEXT NOT NULL,
        first_at TIMESTAMP WITH TIME ZONE NOT NULL,
        last_at TIMESTAMP WITH TIME ZONE NOT NULL,
        count BIGINT NOT NULL,
        CONSTRAINT near_miss_pkey PRIMARY KEY (near_miss_id),
        CONSTRAINT near_miss_what_and_where_key UNIQUE (address, reason, header, key_id, automation_name)
    )
    """,
    """
    CREATE INDEX near_miss_last_at_idx ON near_miss (last_at)
    """,
    """
    COMMENT ON TABLE near_miss IS 'Requests whose key was refused, added up by address and what was wrong; never a secret'
    """,
    """
    COMMENT ON COLUMN near_miss.reason IS 'What was wrong, from a closed set'
    """,
    """
    COMMENT ON COLUMN near_miss.header IS 'The header the key came in, or should have'
    """,
    """
    COMMENT ON COLUMN near_miss.key_id IS 'The key it nearly was; 0 when none is known'
    """,
    """
    CREATE TABLE session (
        session_id BIGINT GENERATED ALWAYS AS IDENTITY,
        token_hash BYTEA NOT NULL,
        person_id BIGINT NOT NULL,
        viewing_id BIGINT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
        address TEXT NOT NULL,
        browser TEXT NOT NULL,
        CONSTRAINT session_pkey PRIMARY KEY (session_id),
        CONSTRAINT session_token_hash_key UNIQUE (token_hash),
        CONSTRAINT session_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE,
        CONSTRAINT session_viewing_id_fkey FOREIGN KEY(viewing_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX session_person_id_idx ON session (person_id)
    """,
    """
    COMMENT ON TABLE session IS 'Browsers that are logged in to the dashboard'
    """,
    """
    COMMENT ON COLUMN session.viewing_id IS 'Whose data it shows: the same person''s, or of one without a password whom an owner cares for'
    """,
    """
    COMMENT ON COLUMN session.browser IS 'As it names itself, cut short'
    """,
    """
    CREATE TABLE login_link (
        token_hash BYTEA NOT NULL,
        person_id BIGINT,
        purpose TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        used_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT login_link_pkey PRIMARY KEY (token_hash),
        CONSTRAINT login_link_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    COMMENT ON TABLE login_link IS 'Links that log in once'
    """,
    """
    COMMENT ON COLUMN login_link.purpose IS 'setup or login'
    """,
    """
    CREATE TABLE job_run (
        job_run_id BIGINT GENERATED ALWAYS AS IDENTITY,
        name TEXT NOT NULL,
        instance TEXT NOT NULL,
        started_at TIMESTAMP WITH TIME ZONE NOT NULL,
        finished_at TIMESTAMP WITH TIME ZONE,
        outcome TEXT NOT NULL,
        result JSONB DEFAULT '{}' NOT NULL,
        CONSTRAINT job_run_pkey PRIMARY KEY (job_run_id),
        CONSTRAINT job_run_outcome_check CHECK (outcome IN ('running', 'ok', 'found', 'failed'))
    )
    """,
    """
    CREATE INDEX job_run_name_started_at_idx ON job_run (name, started_at)
    """,
    """
    COMMENT ON TABLE job_run IS 'What each run of a job did; found: it worked, and there is something a person should know'
    """,
    """
    COMMENT ON COLUMN job_run.instance IS 'Which server process ran it'
    """,
    """
    CREATE TABLE own_metrics (
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        instance TEXT NOT NULL,
        content JSONB NOT NULL,
        CONSTRAINT own_metrics_pkey PRIMARY KEY (at, instance)
    )
    """,
    """
    COMMENT ON TABLE own_metrics IS 'How the appliance itself was doing, so that its history shows without another server'
    """,
    """
    COMMENT ON COLUMN own_metrics.content IS 'Numbers by metric name and labels'
    """,
    """
    CREATE TABLE awake_span (
        instance TEXT NOT NULL,
        started_at TIMESTAMP WITH TIME ZONE NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT awake_span_pkey PRIMARY KEY (instance, started_at)
    )
    """,
    """
    CREATE INDEX awake_span_ended_at_idx ON awake_span (ended_at)
    """,
    """
    COMMENT ON TABLE awake_span IS 'When the appliance ran; silence while it slept or was off is nobody''s silence'
    """,
    """
    CREATE TABLE silence (
        person_id BIGINT NOT NULL,
        key_id BIGINT NOT NULL,
        automation_id TEXT NOT NULL,
        automation_name TEXT NOT NULL,
        last_new_at TIMESTAMP WITH TIME ZONE NOT NULL,
        usual_gap_s INTEGER NOT NULL,
        silent_since TIMESTAMP WITH TIME ZONE,
        checked_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT silence_pkey PRIMARY KEY (person_id, key_id, automation_id),
        CONSTRAINT silence_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    COMMENT ON TABLE silence IS 'The rhythm of each phone''s automation, and whether it has fallen silent'
    """,
    """
    COMMENT ON COLUMN silence.last_new_at IS 'When it last brought something new'
    """,
    """
    COMMENT ON COLUMN silence.usual_gap_s IS 'How long it usually takes, learned; seconds'
    """,
    """
    COMMENT ON COLUMN silence.silent_since IS 'Null while it is heard as usual'
    """,
    """
    CREATE INDEX upload_key_id_received_at_idx ON upload (key_id, received_at)
    """,
)


def upgrade() -> None:
    """Add what is new; nothing that was there changes its meaning."""
    for statement in STATEMENTS:
        op.execute(statement)
