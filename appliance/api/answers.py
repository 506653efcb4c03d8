"""The shapes of answers, for the description and its tests. Instants are ISO 8601 with offset."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """An error, as RFC 9457 tells it."""

    type: str
    title: str
    status: int
    detail: str = Field(description="One sentence a person can act on; the phone shows it.")
    request_id: str


class CountsAnswer(BaseModel):
    """What became of the items: received is the sum of the other five."""

    received: int
    stored: int = Field(description="New here.")
    revised: int = Field(description="Replaced an older value, which is kept as a revision.")
    unchanged: int = Field(description="Already held.")
    superseded: int = Field(description="Older or poorer than what is held; not taken.")
    quarantined: int = Field(description="Not understood or impossible; kept.")


class ItemErrorAnswer(BaseModel):
    """One quarantined item."""

    path: str
    reason: str
    detail: str


class AdviceAnswer(BaseModel):
    """Something about the phone's set-up that could be better."""

    code: str
    message: str
    fix: str
    link: str | None = Field(
        description="Opened on the phone, it makes a corrected automation; put your API key in."
    )


class ReceiptAnswer(BaseModel):
    """The answer to an upload."""

    request_id: str
    upload_id: int
    status: str = Field(
        description="processed, accepted (poll /uploads/{id}), unchanged; refused or failed when looked up."
    )
    counts: CountsAnswer
    kinds: dict[str, CountsAnswer]
    errors: list[ItemErrorAnswer] = Field(description="The first 50.")
    advice: list[AdviceAnswer]
    processing_ms: int


class UploadAnswer(ReceiptAnswer):
    """An upload with its receipt."""

    received_at: str
    processed_at: str | None
    size_bytes: int
    content_type: str
    key_id: int | None
    automation: dict[str, str]
    failure: str | None


class UploadsAnswer(BaseModel):
    """A page of uploads, newest first."""

    items: list[UploadAnswer]
    next: str | None = Field(description="Give it as cursor for the following page.")


class StepAnswer(BaseModel):
    """One step of an upload's way."""

    name: str
    ended_ms: float = Field(description="Since the attempt began: the first byte of the request seen.")
    took_ms: float
    counts: dict[str, int]


class AttemptAnswer(BaseModel):
    """One walk along the way."""

    began_at: str
    instance: str = Field(description="The server process.")
    cause: str = Field(description="request, worker or replay.")
    steps: list[StepAnswer]


class TraceAnswer(BaseModel):
    """The way of an upload, its attempts oldest first."""

    upload_id: int
    request_id: str
    state: str = Field(description="received, processed, unchanged, refused or failed.")
    attempts: list[AttemptAnswer]


class MetricAnswer(BaseModel):
    """One metric of which samples are held."""

    key: str
    name: str
    category: str
    unit: str
    kind: str | None = Field(description="cumulative or discrete; null for a metric the catalogue lacks.")
    aggregate: str | None
    decimals: int
    count: int
    first: str
    last: str
    sources: list[str]
    grains: list[str]
    known: bool


class MetricsAnswer(BaseModel):
    """Every metric held."""

    items: list[MetricAnswer]
    next: str | None


class SampleAnswer(BaseModel):
    """One stored sample."""

    start: str
    end: str
    value: float | None
    min: float | None
    max: float | None
    unit: str
    source: str
    grain: str
    utc_offset: int = Field(description="Seconds east of UTC where the person was.")
    upload_id: int
    extra: dict[str, object] | None


class SamplesAnswer(BaseModel):
    """A page of samples, oldest first."""

    items: list[SampleAnswer]
    next: str | None


class PointAnswer(BaseModel):
    """The resolved truth of one bucket."""

    start: str
    value: float | None
    min: float | None
    max: float | None
    count: int


class KeyAnswer(BaseModel):
    """One API key; its secret is told once, when it is made."""

    id: int
    public_id: str
    name: str
    person: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    disabled_at: str | None
    replaced_by: int | None = Field(description="The key that a rotation made in its place.")
    state: str = Field(description="open, disabled, expired, replaced or revoked; now.")


class NewKeyAnswer(KeyAnswer):
    """A key just made."""

    key: str = Field(description="The whole key; it cannot be shown again.")


class KeysAnswer(BaseModel):
    """The person's keys, or everybody's for an owner."""

    items: list[KeyAnswer]
    next: str | None


class KeyEventAnswer(BaseModel):
    """Something that happened to a key."""

    key_id: int
    at: str
    event: str = Field(description="created, disabled, enabled, rotated, expired or revoked.")
    detail: str


class KeyEventsAnswer(BaseModel):
    """What happened to a key, newest first."""

    items: list[KeyEventAnswer]
    next: str | None


class NearMissAnswer(BaseModel):
    """Refused requests of one kind from one address."""

    address: str = Field(description="Empty for so many addresses that they are only counted.")
    reason: str
    mend: str = Field(description="One sentence that says what to change.")
    header: str = Field(description="The header the key came in, or should have.")
    key_id: int | None = Field(description="The key it nearly was.")
    key_name: str | None
    automation_name: str
    first_at: str
    last_at: str
    count: int


class NearMissesAnswer(BaseModel):
    """A page of refused requests, newest first."""

    items: list[NearMissAnswer]
    next: str | None = Field(description="Give it as cursor for the following page.")


class PersonAnswer(BaseModel):
    """A person."""

    id: int
    name: str
    time_zone: str = Field(description="Places times that come without an offset.")
    is_owner: bool = Field(description="Looks after the appliance.")


class PeopleAnswer(BaseModel):
    """The people this key may know of."""

    items: list[PersonAnswer]
    next: str | None


class RemovedAnswer(BaseModel):
    """A person who is gone."""

    id: int
    name: str
    uploads: int
    archive: str | None = Field(description="Where on the appliance everything of theirs was written before.")
    archive_bytes: int


class DatabaseState(BaseModel):
    """Whether Postgres answers."""

    status: str


class StatusAnswer(BaseModel):
    """A summary."""

    status: str = Field(description="operational, degraded or unavailable")
    timestamp: str
    service: str
    version: str
    environment: str
    database: DatabaseState
    parts: dict[str, str]
    started_at: str
    uploads_waiting: int | None
    last_upload_at: str | None


class AliveAnswer(BaseModel):
    """The process answers."""

    status: str


class ReadyAnswer(BaseModel):
    """Whether the process can do its work, and the state of each part."""

    status: str
    parts: dict[str, str]


class HoursAnswer(BaseModel):
    """Hours by stage; null where nothing was told, which is not 0."""

    total: float | None = Field(description="All sleep, without awake and in bed.")
    asleep: float | None = Field(description="Sleep of no stage told.")
    core: float | None
    deep: float | None
    rem: float | None
    awake: float | None
    in_bed: float | None = Field(description="An envelope round the sleep, not part of it.")


class SleepSpanAnswer(BaseModel):
    """A sleep with its times; null where they were not told."""

    start: str | None = Field(description="Falling asleep.")
    end: str | None = Field(description="Waking up.")
    in_bed_start: str | None
    in_bed_end: str | None
    hours: HoursAnswer


class StageAnswer(BaseModel):
    """One stretch of one stage; overlaps are resolved."""

    start: str
    end: str
    stage: str = Field(description="in_bed, awake, core, deep, rem, or asleep for sleep without a stage.")
    upload_id: int


class SessionAnswer(SleepSpanAnswer):
    """One sleep of one source."""

    is_nap: bool
    told_as: str = Field(description="segments, or sum with the generation of its shape.")
    flags: list[str]
    upload_ids: list[int]
    segments: list[StageAnswer]


class TellingAnswer(BaseModel):
    """What one source tells of a night."""

    source: str
    shown: bool
    hours: HoursAnswer
    efficiency: float | None
    flags: list[str]
    upload_ids: list[int]
    sessions: list[SessionAnswer]


class NightSummaryAnswer(SleepSpanAnswer):
    """A night as its chosen source tells it. Times are of the longest sleep, hours of all sleep that ended that day."""

    date: str = Field(description="The day of waking up, where the person was.")
    source: str
    efficiency: float | None = Field(
        description="Percent of the time in bed; null where it cannot be derived."
    )
    naps: list[SleepSpanAnswer] = Field(description="Further sleep that ended that day.")
    flags: list[str] = Field(description="over_14_hours, no_times, length_disagrees.")
    sources: list[str] = Field(description="All that tell the night, the chosen one first.")
    upload_ids: list[int]


class NightAnswer(NightSummaryAnswer):
    """Everything told of one night."""

    why: str = Field(description="Why this source was chosen.")
    tellings: list[TellingAnswer]


class NightsAnswer(BaseModel):
    """A page of nights, newest first."""

    items: list[NightSummaryAnswer]
    next: str | None = Field(description="Give it as cursor for the following page.")
