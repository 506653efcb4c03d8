"""The tables. `person_id` leads every key of person data, so that the schema can be split by person.

The samples carry no foreign keys: a check per row would cost the hot path a third of its speed, and the one
place that writes them (`samples`) resolves series and upload in the same transaction.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_name)s_idx",
    }
)

Instant = DateTime(timezone=True)

# Drawn once per change of a series, so that the newest number of a metric names the state it is in (for caches).
generation = Sequence("generation", metadata=metadata)

appliance = Table(
    "appliance",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    comment="Secrets every instance on this database shares",
)

person = Table(
    "person",
    metadata,
    Column("person_id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("time_zone", Text, nullable=False),
    Column("created_at", Instant, nullable=False, server_default=text("now()")),
    Column("password_hash", Text, comment="argon2id; null for who has no dashboard password of their own"),
    Column(
        "is_owner", Boolean, nullable=False, server_default=text("false"), comment="May change the appliance"
    ),
    Column("preferences", JSONB, nullable=False, server_default="{}", comment="Units, goals and the like"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", BigInteger, Identity(always=True), primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("created_at", Instant, nullable=False, server_default=text("now()")),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Column("disabled_at", Instant, comment="Closed for a while; null when it opens"),
    Column("replaced_by", BigInteger, comment="The key that a rotation made in its place"),
    Index("api_key_person_id_idx", "person_id"),
)

key_event = Table(
    "key_event",
    metadata,
    Column("key_event_id", BigInteger, Identity(always=True), primary_key=True),
    Column("key_id", BigInteger, ForeignKey("api_key.key_id", ondelete="CASCADE"), nullable=False),
    Column("at", Instant, nullable=False, server_default=text("now()")),
    Column("event", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Index("key_event_key_id_idx", "key_id"),
    comment="Audit: what happened to a key and when; never its secret",
)

near_miss = Table(
    "near_miss",
    metadata,
    Column("near_miss_id", BigInteger, Identity(always=True), primary_key=True),
    Column("address", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="What was wrong, from a closed set"),
    Column("header", Text, nullable=False, comment="The header the key came in, or should have"),
    Column("key_id", BigInteger, nullable=False, comment="The key it nearly was; 0 when none is known"),
    Column("automation_name", Text, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("count", BigInteger, nullable=False),
    UniqueConstraint(
        "address", "reason", "header", "key_id", "automation_name", name="near_miss_what_and_where_key"
    ),
    Index("near_miss_last_at_idx", "last_at"),
    comment="Requests whose key was refused, added up by address and what was wrong; never a secret",
)

session = Table(
    "session",
    metadata,
    Column("session_id", BigInteger, Identity(always=True), primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), nullable=False),
    Column(
        "viewing_id",
        BigInteger,
        ForeignKey("person.person_id", ondelete="CASCADE"),
        nullable=False,
        comment="Whose data it shows: the same person's, or of one without a password whom an owner cares for",
    ),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("address", Text, nullable=False),
    Column("browser", Text, nullable=False, comment="As it names itself, cut short"),
    Index("session_person_id_idx", "person_id"),
    comment="Browsers that are logged in to the dashboard",
)

login_link = Table(
    "login_link",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE")),
    Column("purpose", Text, nullable=False, comment="setup or login"),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    comment="Links that log in once",
)

_COUNTS = ("received", "stored", "revised", "unchanged", "superseded", "quarantined")

upload = Table(
    "upload",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("upload_id", BigInteger, Identity(always=True), primary_key=True),
    Column("key_id", BigInteger),
    Column("request_id", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Instant, comment="When a worker may take it; null once it is settled"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("content_type", Text, nullable=False),
    Column("content_encoding", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("body", LargeBinary, comment="The exact bytes, zstd; null once retention has removed them"),
    Column("automation_name", Text, nullable=False, server_default=""),
    Column("automation_id", Text, nullable=False, server_default=""),
    Column("automation_aggregation", Text, nullable=False, server_default=""),
    Column("automation_period", Text, nullable=False, server_default=""),
    Column("session_id", Text, nullable=False, server_default=""),
    Column(
        "metrics",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="Metrics of which it told samples",
    ),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in _COUNTS),
    Column("kinds", JSONB, nullable=False, server_default="{}"),
    Column("errors", JSONB, nullable=False, server_default="[]"),
    Column("advice", JSONB, nullable=False, server_default="[]"),
    Column("failure", Text, comment="Why the body was refused or working on it failed"),
    Column("processed_at", Instant),
    Column("processing_ms", Integer),
    Column("trace", JSONB, comment="Its steps with their times; null before the first is written"),
    CheckConstraint(
        "received = stored + revised + unchanged + superseded + quarantined", name="counts_add_up"
    ),
    CheckConstraint("state IN ('received', 'processed', 'unchanged', 'refused', 'failed')", name="state"),
    Index("upload_upload_id_idx", "upload_id"),
    Index("upload_due_at_idx", "due_at", postgresql_where=text("state = 'received'")),
    Index("upload_request_id_idx", "request_id"),
    Index("upload_key_id_received_at_idx", "key_id", "received_at"),
)

import_run = Table(
    "import_run",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("upload_id", BigInteger, primary_key=True, comment="What it brought is of this upload"),
    Column("digest", LargeBinary, nullable=False, comment="Of the file's bytes, so that it is known again"),
    Column("name", Text, nullable=False, comment="Of the file, as a person knows it"),
    Column("state", Text, nullable=False),
    Column("done", BigInteger, nullable=False, server_default="0", comment="Bytes read and committed"),
    Column("total", BigInteger, nullable=False, server_default="0", comment="Bytes to read"),
    Column("elements", BigInteger, nullable=False, server_default="0", comment="Elements or items read"),
    Column("bytes_per_s", BigInteger, nullable=False, server_default="0", comment="How fast it is going"),
    Column(
        "stop_asked",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Whether it is to stop after the part it is at, wherever it runs",
    ),
    Column("content", JSONB, nullable=False, server_default="{}", comment="What the file tells of itself"),
    Column("kinds", JSONB, nullable=False, server_default="{}", comment="What became of its items, by kind"),
    Column(
        "metrics", JSONB, nullable=False, server_default="{}", comment="The same of its samples, by metric"
    ),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False, comment="When it was last known to be at work"),
    Column("finished_at", Instant),
    CheckConstraint("state IN ('running', 'stopped', 'done', 'cut', 'undone')", name="state"),
    Index("import_run_person_id_digest_idx", "person_id", "digest"),
    comment="Files of a person's past that were, or are being, imported",
)

source = Table(
    "source",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("source_id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False, comment="Normalised source set, parts joined by ' | '"),
    UniqueConstraint("person_id", "name"),
)

series = Table(
    "series",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("series_id", BigInteger, Identity(always=True), primary_key=True),
    Column("metric", Text, nullable=False, comment="Key in the catalogue, or the phone's own name"),
    Column("source_id", BigInteger, nullable=False),
    Column("grain", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("samples", BigInteger, nullable=False, server_default="0"),
    Column("first_at", Instant),
    Column("last_at", Instant),
    Column(
        "least_offset",
        Integer,
        comment="Of all offsets its samples ever came with; so a local day is found exactly",
    ),
    Column("greatest_offset", Integer),
    Column("generation", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("person_id", "metric", "source_id", "grain", "unit"),
    ForeignKeyConstraint(
        ["person_id", "source_id"],
        ["source.person_id", "source.source_id"],
        name="series_source_id_fkey",
        ondelete="CASCADE",
    ),
)

sample = Table(
    "sample",
    metadata,
    Column("person_id", BigInteger, primary_key=True),
    Column("series_id", BigInteger, primary_key=True),
    Column("start_at", Instant, primary_key=True),
    Column("utc_offset", Integer, nullable=False, comment="Seconds east of UTC where the person was"),
    Column("duration", Integer, nullable=False, comment="Seconds; 0 for an instant"),
    Column("value", Double),
    Column("min", Double),
    Column("max", Double),
    Column("upload_id", BigInteger, nullable=False),
    Column("extra", JSONB, comment="Further fields of the item as sent"),
)

revision = Table(
    "revision",
    metadata,
    Column("person_id", BigInteger, primary_key=True),
    Column("series_id", BigInteger, primary_key=True),
    Column("start_at", Instant, primary_key=True),
    Column("replaced_by", BigInteger, primary_key=True, comment="The upload that replaced the value"),
    Column("upload_id", BigInteger, nullable=False, comment="The upload the value came with"),
    Column("replaced_at", Instant, nullable=False),
    Column("duration", Integer, nullable=False),
    Column("value", Double),
    Column("min", Double),
    Column("max", Double),
    Column("extra", JSONB),
    comment="Values a sample had before",
)

rollup = Table(
    "rollup",
    metadata,
    Column("person_id", BigInteger, primary_key=True),
    Column("metric", Text, primary_key=True),
    Column("day", Date, primary_key=True, comment="The day where the person was"),
    Column("utc_offset", Integer, nullable=False, comment="Of the day's first sample, seconds"),
    Column("value", Double),
    Column("min", Double),
    Column("max", Double),
    Column("count", Integer, nullable=False),
    Column("hour_start", ARRAY(Instant), nullable=False),
    Column("hour_value", ARRAY(Double), nullable=False),
    Column("hour_min", ARRAY(Double), nullable=False),
    Column("hour_max", ARRAY(Double), nullable=False),
    Column("hour_count", ARRAY(Integer), nullable=False),
    comment="The resolved truth of a local day and its hours; one row instead of 25 keeps writing and reading fast",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("quarantine_id", BigInteger, Identity(always=True), primary_key=True),
    Column(
        "fingerprint",
        LargeBinary,
        nullable=False,
        comment="Of kind, name and item, so that a re-send is not kept twice",
    ),
    Column(
        "upload_id",
        BigInteger,
        nullable=False,
        comment="The first upload that brought it; its body holds the item",
    ),
    Column("last_upload_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    UniqueConstraint("person_id", "fingerprint"),
    Index("quarantine_person_id_upload_id_idx", "person_id", "upload_id"),
)

record = Table(
    "record",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("record_id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("identity", Text, nullable=False, comment="The phone's id, or a natural key"),
    Column("label", Text, nullable=False),
    Column("source", Text, nullable=False, comment="Normalised source set"),
    Column("start_at", Instant, nullable=False),
    Column("end_at", Instant),
    Column("utc_offset", Integer, nullable=False),
    Column("content", JSONB, nullable=False),
    Column("flags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("digest", LargeBinary, nullable=False),
    Column("upload_id", BigInteger, nullable=False),
    UniqueConstraint("person_id", "kind", "identity"),
    Index("record_person_id_kind_start_at_idx", "person_id", "kind", "start_at"),
    comment="Everything that is more than a sample: workouts, ECGs, nights, symptoms",
)

record_track = Table(
    "record_track",
    metadata,
    Column("person_id", BigInteger, primary_key=True),
    Column("record_id", BigInteger, primary_key=True),
    Column("name", Text, primary_key=True),
    Column(
        "start_at", ARRAY(Instant), nullable=False, comment="Empty when the record tells start and frequency"
    ),
    Column("channels", ARRAY(Text), nullable=False),
    Column("units", JSONB, nullable=False),
    Column("values", ARRAY(Double, dimensions=2), nullable=False, comment="One row a channel"),
    ForeignKeyConstraint(
        ["person_id", "record_id"],
        ["record.person_id", "record.record_id"],
        name="record_track_record_id_fkey",
        ondelete="CASCADE",
    ),
    comment="Long columns of numbers along time: routes, curves, voltages",
)

record_revision = Table(
    "record_revision",
    metadata,
    Column("person_id", BigInteger, primary_key=True),
    Column("record_id", BigInteger, primary_key=True),
    Column("replaced_by", BigInteger, primary_key=True),
    Column(
        "upload_id",
        BigInteger,
        nullable=False,
        comment="The upload the version came with; its body has the tracks",
    ),
    Column("replaced_at", Instant, nullable=False),
    Column("content", JSONB, nullable=False),
    ForeignKeyConstraint(
        ["person_id", "record_id"],
        ["record.person_id", "record.record_id"],
        name="record_revision_record_id_fkey",
        ondelete="CASCADE",
    ),
    comment="Versions a record had before",
)

sleep_segment = Table(
    "sleep_segment",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("source", Text, primary_key=True, comment="Normalised source set"),
    Column("stage", Text, primary_key=True),
    Column("start_at", Instant, primary_key=True),
    Column("end_at", Instant, nullable=False),
    Column("utc_offset", Integer, nullable=False),
    Column("flags", ARRAY(Text), nullable=False, server_default="{}"),
    Column("upload_id", BigInteger, nullable=False),
    Index("sleep_segment_person_id_start_at_idx", "person_id", "start_at"),
    comment="Stages as single stretches of time",
)

source_priority = Table(
    "source_priority",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("category", Text, primary_key=True, comment="A category of the catalogue, or '' for all others"),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False, comment="One device or app"),
    comment="Which source a person believes first",
)

advice = Table(
    "advice",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("code", Text, primary_key=True),
    Column("message", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("automation", JSONB, comment="Parameters of a deep link that makes the corrected automation"),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("upload_id", BigInteger, nullable=False),
    comment="What about a phone's set-up could be better; gone once a corrected upload comes",
)

job_run = Table(
    "job_run",
    metadata,
    Column("job_run_id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("instance", Text, nullable=False, comment="Which server process ran it"),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("outcome", Text, nullable=False),
    Column("result", JSONB, nullable=False, server_default="{}"),
    CheckConstraint("outcome IN ('running', 'ok', 'found', 'failed')", name="outcome"),
    Index("job_run_name_started_at_idx", "name", "started_at"),
    comment="What each run of a job did; found: it worked, and there is something a person should know",
)

own_metrics = Table(
    "own_metrics",
    metadata,
    Column("at", Instant, primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("content", JSONB, nullable=False, comment="Numbers by metric name and labels"),
    comment="How the appliance itself was doing, so that its history shows without another server",
)

awake_span = Table(
    "awake_span",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("started_at", Instant, primary_key=True),
    Column("ended_at", Instant, nullable=False),
    Index("awake_span_ended_at_idx", "ended_at"),
    comment="When the appliance ran; silence while it slept or was off is nobody's silence",
)

silence = Table(
    "silence",
    metadata,
    Column("person_id", BigInteger, ForeignKey("person.person_id", ondelete="CASCADE"), primary_key=True),
    Column("key_id", BigInteger, primary_key=True),
    Column("automation_id", Text, primary_key=True),
    Column("automation_name", Text, nullable=False),
    Column("last_new_at", Instant, nullable=False, comment="When it last brought something new"),
    Column("usual_gap_s", Integer, nullable=False, comment="How long it usually takes, learned; seconds"),
    Column("silent_since", Instant, comment="Null while it is heard as usual"),
    Column("checked_at", Instant, nullable=False),
    comment="The rhythm of each phone's automation, and whether it has fallen silent",
)
