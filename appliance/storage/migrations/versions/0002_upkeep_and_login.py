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
