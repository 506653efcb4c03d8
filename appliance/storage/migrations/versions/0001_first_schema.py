"""The first schema: people, keys, uploads with their bytes, samples and their rollups, quarantine."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE SEQUENCE generation
    """,
    """
    CREATE TABLE appliance (
        name TEXT NOT NULL,
        value BYTEA NOT NULL,
        CONSTRAINT appliance_pkey PRIMARY KEY (name)
    )
    """,
    """
    COMMENT ON TABLE appliance IS 'Secrets every instance on this database shares'
    """,
    """
    CREATE TABLE person (
        person_id BIGINT GENERATED ALWAYS AS IDENTITY,
        name TEXT NOT NULL,
        time_zone TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT person_pkey PRIMARY KEY (person_id),
        CONSTRAINT person_name_key UNIQUE (name)
    )
    """,
    """
    CREATE TABLE revision (
        person_id BIGINT NOT NULL,
        series_id BIGINT NOT NULL,
        start_at TIMESTAMP WITH TIME ZONE NOT NULL,
        replaced_by BIGINT NOT NULL,
        upload_id BIGINT NOT NULL,
        replaced_at TIMESTAMP WITH TIME ZONE NOT NULL,
        duration INTEGER NOT NULL,
        value DOUBLE PRECISION,
        min DOUBLE PRECISION,
        max DOUBLE PRECISION,
        extra JSONB,
        CONSTRAINT revision_pkey PRIMARY KEY (person_id, series_id, start_at, replaced_by)
    )
    """,
    """
    COMMENT ON TABLE revision IS 'Values a sample had before'
    """,
    """
    COMMENT ON COLUMN revision.replaced_by IS 'The upload that replaced the value'
    """,
    """
    COMMENT ON COLUMN revision.upload_id IS 'The upload the value came with'
    """,
    """
    CREATE TABLE rollup (
        person_id BIGINT NOT NULL,
        metric TEXT NOT NULL,
        day DATE NOT NULL,
        utc_offset INTEGER NOT NULL,
        value DOUBLE PRECISION,
        min DOUBLE PRECISION,
        max DOUBLE PRECISION,
        count INTEGER NOT NULL,
        hour_start TIMESTAMP WITH TIME ZONE[] NOT NULL,
        hour_value DOUBLE PRECISION[] NOT NULL,
        hour_min DOUBLE PRECISION[] NOT NULL,
        hour_max DOUBLE PRECISION[] NOT NULL,
        hour_count INTEGER[] NOT NULL,
        CONSTRAINT rollup_pkey PRIMARY KEY (person_id, metric, day)
    )
    """,
    """
    COMMENT ON TABLE rollup IS 'The resolved truth of a local day and its hours; one row instead of 25 keeps writing and reading fast'
    """,
    """
    COMMENT ON COLUMN rollup.day IS 'The day where the person was'
    """,
    """
    COMMENT ON COLUMN rollup.utc_offset IS 'Of the day''s first sample, seconds'
    """,
    """
    CREATE TABLE sample (
        person_id BIGINT NOT NULL,
        series_id BIGINT NOT NULL,
        start_at TIMESTAMP WITH TIME ZONE NOT NULL,
        utc_offset INTEGER NOT NULL,
        duration INTEGER NOT NULL,
        value DOUBLE PRECISION,
        min DOUBLE PRECISION,
        max DOUBLE PRECISION,
        upload_id BIGINT NOT NULL,
        extra JSONB,
        CONSTRAINT sample_pkey PRIMARY KEY (person_id, series_id, start_at)
    )
    """,
    """
    COMMENT ON COLUMN sample.utc_offset IS 'Seconds east of UTC where the person was'
    """,
    """
    COMMENT ON COLUMN sample.duration IS 'Seconds; 0 for an instant'
    """,
    """
    COMMENT ON COLUMN sample.extra IS 'Further fields of the item as sent'
    """,
    """
    CREATE TABLE advice (
        person_id BIGINT NOT NULL,
        code TEXT NOT NULL,
        message TEXT NOT NULL,
        fix TEXT NOT NULL,
        automation JSONB,
        first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
        last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
        upload_id BIGINT NOT NULL,
        CONSTRAINT advice_pkey PRIMARY KEY (person_id, code),
        CONSTRAINT advice_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    COMMENT ON TABLE advice IS 'What about a phone''s set-up could be better; gone once a corrected upload comes'
    """,
    """
    COMMENT ON COLUMN advice.automation IS 'Parameters of a deep link that makes the corrected automation'
    """,
    """
    CREATE TABLE api_key (
        key_id BIGINT GENERATED ALWAYS AS IDENTITY,
        public_id TEXT NOT NULL,
        person_id BIGINT NOT NULL,
        name TEXT NOT NULL,
        secret_hash BYTEA NOT NULL,
        scopes TEXT[] NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE,
        revoked_at TIMESTAMP WITH TIME ZONE,
        last_used_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT api_key_pkey PRIMARY KEY (key_id),
        CONSTRAINT api_key_public_id_key UNIQUE (public_id),
        CONSTRAINT api_key_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX api_key_person_id_idx ON api_key (person_id)
    """,
    """
    CREATE TABLE quarantine (
        person_id BIGINT NOT NULL,
        quarantine_id BIGINT GENERATED ALWAYS AS IDENTITY,
        fingerprint BYTEA NOT NULL,
        upload_id BIGINT NOT NULL,
        last_upload_id BIGINT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        path TEXT NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL,
        first_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
        last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT quarantine_pkey PRIMARY KEY (person_id, quarantine_id),
        CONSTRAINT quarantine_person_id_key UNIQUE (person_id, fingerprint),
        CONSTRAINT quarantine_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX quarantine_person_id_upload_id_idx ON quarantine (person_id, upload_id)
    """,
    """
    COMMENT ON COLUMN quarantine.fingerprint IS 'Of kind, name and item, so that a re-send is not kept twice'
    """,
    """
    COMMENT ON COLUMN quarantine.upload_id IS 'The first upload that brought it; its body holds the item'
    """,
    """
    CREATE TABLE record (
        person_id BIGINT NOT NULL,
        record_id BIGINT GENERATED ALWAYS AS IDENTITY,
        kind TEXT NOT NULL,
        identity TEXT NOT NULL,
        label TEXT NOT NULL,
        source TEXT NOT NULL,
        start_at TIMESTAMP WITH TIME ZONE NOT NULL,
        end_at TIMESTAMP WITH TIME ZONE,
        utc_offset INTEGER NOT NULL,
        content JSONB NOT NULL,
        flags TEXT[] DEFAULT '{}' NOT NULL,
        digest BYTEA NOT NULL,
        upload_id BIGINT NOT NULL,
        CONSTRAINT record_pkey PRIMARY KEY (person_id, record_id),
        CONSTRAINT record_person_id_key UNIQUE (person_id, kind, identity),
        CONSTRAINT record_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX record_person_id_kind_start_at_idx ON record (person_id, kind, start_at)
    """,
    """
    COMMENT ON TABLE record IS 'Everything that is more than a sample: workouts, ECGs, nights, symptoms'
    """,
    """
    COMMENT ON COLUMN record.identity IS 'The phone''s id, or a natural key'
    """,
    """
    COMMENT ON COLUMN record.source IS 'Normalised source set'
    """,
    """
    CREATE TABLE sleep_segment (
        person_id BIGINT NOT NULL,
        source TEXT NOT NULL,
        stage TEXT NOT NULL,
        start_at TIMESTAMP WITH TIME ZONE NOT NULL,
        end_at TIMESTAMP WITH TIME ZONE NOT NULL,
        utc_offset INTEGER NOT NULL,
        flags TEXT[] DEFAULT '{}' NOT NULL,
        upload_id BIGINT NOT NULL,
        CONSTRAINT sleep_segment_pkey PRIMARY KEY (person_id, source, stage, start_at),
        CONSTRAINT sleep_segment_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX sleep_segment_person_id_start_at_idx ON sleep_segment (person_id, start_at)
    """,
    """
    COMMENT ON TABLE sleep_segment IS 'Stages as single stretches of time'
    """,
    """
    COMMENT ON COLUMN sleep_segment.source IS 'Normalised source set'
    """,
    """
    CREATE TABLE source (
        person_id BIGINT NOT NULL,
        source_id BIGINT GENERATED ALWAYS AS IDENTITY,
        name TEXT NOT NULL,
        CONSTRAINT source_pkey PRIMARY KEY (person_id, source_id),
        CONSTRAINT source_person_id_key UNIQUE (person_id, name),
        CONSTRAINT source_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    COMMENT ON COLUMN source.name IS 'Normalised source set, parts joined by '' | '''
    """,
    """
    CREATE TABLE source_priority (
        person_id BIGINT NOT NULL,
        category TEXT NOT NULL,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        CONSTRAINT source_priority_pkey PRIMARY KEY (person_id, category, position),
        CONSTRAINT source_priority_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    COMMENT ON TABLE source_priority IS 'Which source a person believes first'
    """,
    """
    COMMENT ON COLUMN source_priority.category IS 'A category of the catalogue, or '''' for all others'
    """,
    """
    COMMENT ON COLUMN source_priority.name IS 'One device or app'
    """,
    """
    CREATE TABLE upload (
        person_id BIGINT NOT NULL,
        upload_id BIGINT GENERATED ALWAYS AS IDENTITY,
        key_id BIGINT,
        request_id TEXT NOT NULL,
        received_at TIMESTAMP WITH TIME ZONE NOT NULL,
        state TEXT NOT NULL,
        due_at TIMESTAMP WITH TIME ZONE,
        attempts INTEGER DEFAULT '0' NOT NULL,
        content_type TEXT NOT NULL,
        content_encoding TEXT NOT NULL,
        size_bytes BIGINT NOT NULL,
        body BYTEA,
        automation_name TEXT DEFAULT '' NOT NULL,
        automation_id TEXT DEFAULT '' NOT NULL,
        automation_aggregation TEXT DEFAULT '' NOT NULL,
        automation_period TEXT DEFAULT '' NOT NULL,
        session_id TEXT DEFAULT '' NOT NULL,
        metrics TEXT[] DEFAULT '{}' NOT NULL,
        received BIGINT DEFAULT '0' NOT NULL,
        stored BIGINT DEFAULT '0' NOT NULL,
        revised BIGINT DEFAULT '0' NOT NULL,
        unchanged BIGINT DEFAULT '0' NOT NULL,
        superseded BIGINT DEFAULT '0' NOT NULL,
        quarantined BIGINT DEFAULT '0' NOT NULL,
        kinds JSONB DEFAULT '{}' NOT NULL,
        errors JSONB DEFAULT '[]' NOT NULL,
        advice JSONB DEFAULT '[]' NOT NULL,
        failure TEXT,
        processed_at TIMESTAMP WITH TIME ZONE,
        processing_ms INTEGER,
        CONSTRAINT upload_pkey PRIMARY KEY (person_id, upload_id),
        CONSTRAINT upload_counts_add_up_check CHECK (received = stored + revised + unchanged + superseded + quarantined),
        CONSTRAINT upload_state_check CHECK (state IN ('received', 'processed', 'unchanged', 'refused', 'failed')),
        CONSTRAINT upload_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX upload_due_at_idx ON upload (due_at) WHERE state = 'received'
    """,
    """
    CREATE INDEX upload_request_id_idx ON upload (request_id)
    """,
    """
    CREATE INDEX upload_upload_id_idx ON upload (upload_id)
    """,
    """
    COMMENT ON COLUMN upload.due_at IS 'When a worker may take it; null once it is settled'
    """,
    """
    COMMENT ON COLUMN upload.body IS 'The exact bytes, zstd; null once retention has removed them'
    """,
    """
    COMMENT ON COLUMN upload.metrics IS 'Metrics of which it told samples'
    """,
    """
    COMMENT ON COLUMN upload.failure IS 'Why the body was refused or working on it failed'
    """,
    """
    CREATE TABLE key_event (
        key_event_id BIGINT GENERATED ALWAYS AS IDENTITY,
        key_id BIGINT NOT NULL,
        at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        event TEXT NOT NULL,
        detail TEXT DEFAULT '' NOT NULL,
        CONSTRAINT key_event_pkey PRIMARY KEY (key_event_id),
        CONSTRAINT key_event_key_id_fkey FOREIGN KEY(key_id) REFERENCES api_key (key_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX key_event_key_id_idx ON key_event (key_id)
    """,
    """
    COMMENT ON TABLE key_event IS 'Audit: what happened to a key and when; never its secret'
    """,
    """
    CREATE TABLE record_revision (
        person_id BIGINT NOT NULL,
        record_id BIGINT NOT NULL,
        replaced_by BIGINT NOT NULL,
        upload_id BIGINT NOT NULL,
        replaced_at TIMESTAMP WITH TIME ZONE NOT NULL,
        content JSONB NOT NULL,
        CONSTRAINT record_revision_pkey PRIMARY KEY (person_id, record_id, replaced_by),
        CONSTRAINT record_revision_record_id_fkey FOREIGN KEY(person_id, record_id) REFERENCES record (person_id, record_id) ON DELETE CASCADE
    )
    """,
    """
    COMMENT ON TABLE record_revision IS 'Versions a record had before'
    """,
    """
    COMMENT ON COLUMN record_revision.upload_id IS 'The upload the version came with; its body has the tracks'
    """,
    """
    CREATE TABLE record_track (
        person_id BIGINT NOT NULL,
        record_id BIGINT NOT NULL,
        name TEXT NOT NULL,
        start_at TIMESTAMP WITH TIME ZONE[] NOT NULL,
        channels TEXT[] NOT NULL,
        units JSONB NOT NULL,
        values DOUBLE PRECISION[][] NOT NULL,
        CONSTRAINT record_track_pkey PRIMARY KEY (person_id, record_id, name),
        CONSTRAINT record_track_record_id_fkey FOREIGN KEY(person_id, record_id) REFERENCES record (person_id, record_id) ON DELETE CASCADE
    )
    """,
    """
    COMMENT ON TABLE record_track IS 'Long columns of numbers along time: routes, curves, voltages'
    """,
    """
    COMMENT ON COLUMN record_track.start_at IS 'Empty when the record tells start and frequency'
    """,
    """
    COMMENT ON COLUMN record_track.values IS 'One row a channel'
    """,
    """
    CREATE TABLE series (
        person_id BIGINT NOT NULL,
        series_id BIGINT GENERATED ALWAYS AS IDENTITY,
        metric TEXT NOT NULL,
        source_id BIGINT NOT NULL,
        grain TEXT NOT NULL,
        unit TEXT NOT NULL,
        samples BIGINT DEFAULT '0' NOT NULL,
        first_at TIMESTAMP WITH TIME ZONE,
        last_at TIMESTAMP WITH TIME ZONE,
        least_offset INTEGER,
        greatest_offset INTEGER,
        generation BIGINT DEFAULT '0' NOT NULL,
        CONSTRAINT series_pkey PRIMARY KEY (person_id, series_id),
        CONSTRAINT series_person_id_key UNIQUE (person_id, metric, source_id, grain, unit),
        CONSTRAINT series_source_id_fkey FOREIGN KEY(person_id, source_id) REFERENCES source (person_id, source_id) ON DELETE CASCADE,
        CONSTRAINT series_person_id_fkey FOREIGN KEY(person_id) REFERENCES person (person_id) ON DELETE CASCADE
    )
    """,
    """
    COMMENT ON COLUMN series.metric IS 'Key in the catalogue, or the phone''s own name'
    """,
    """
    COMMENT ON COLUMN series.least_offset IS 'Of all offsets its samples ever came with; so a local day is found exactly'
    """,
    """
    CREATE VIEW rollup_hour AS
    SELECT r.person_id, r.metric, r.day, h.start_at, r.utc_offset, h.value, h.min, h.max, h.count
    FROM rollup AS r
    CROSS JOIN LATERAL unnest(r.hour_start, r.hour_value, r.hour_min, r.hour_max, r.hour_count)
        AS h(start_at, value, min, max, count)
    """,
    """
    COMMENT ON VIEW rollup_hour IS 'The truth of each hour, one row an hour, for those who ask in SQL'
    """,
)


def upgrade() -> None:
    """Create everything."""
    for statement in STATEMENTS:
        op.execute(statement)
