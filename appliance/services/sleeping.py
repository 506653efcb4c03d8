"""What an upload tells of sleep, into the tables: judged, written, and the touched nights' totals kept as samples.

The totals of a night are what `/metrics/sleep_total/series` and its neighbours are made of: one sample for each
metric, source and night, at the local midnight of the day of waking up. They are derived and never counted in a
receipt. A night that is no longer told (it moved to another day) leaves a sample without a value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from appliance.catalog.load import Catalogue
from appliance.domain.nights import SourceNight, nights_of
from appliance.domain.sample import DAY_S, DAY_US, SECOND_US, Batch, Grain, SeriesKey, local_day
from appliance.domain.sleep import Segment, Session, Sessions, SleepStage, StageLine
from appliance.domain.upload import Upload
from appliance.domain.verdict import Verdict
from appliance.intake.sleep import FIELDS, SLEEP
from appliance.services.rules import RuleOf
from appliance.services.storing import Storing
from appliance.storage import records, removal, sleep

# A session lasts at most a day, and offsets move its night by at most another.
MARGIN_DAYS = 3

SourceNights = Mapping[tuple[int, str], SourceNight]


class Sleeping:
    """One upload's sleep on its way into the tables, in a transaction that holds the person's lock."""

    def __init__(self, connection: Connection, upload: Upload, catalogue: Catalogue, rule_of: RuleOf) -> None:
        self._connection = connection
        self._upload = upload
        self._catalogue = catalogue
        self._rule_of = rule_of
        self._sessions = Sessions()
        self._record_ids: dict[str, int] = {}
        self._lines: dict[tuple[str, SleepStage], StageLine] = defaultdict(StageLine)
        self._days: set[int] = set()

    def store(self, told: Sequence[Session | Segment]) -> list[Verdict]:
        """Store what is told, in this order, refresh the nights it touches, and return what became of each."""
        if not told:
            return []
        held = self._load(told)
        before = self._nights()
        new: dict[Segment, None] = {}
        gone: dict[Segment, None] = {}
        verdicts = [
            self._take_session(replace(item, upload_ids=(self._upload.upload_id,)))
            if isinstance(item, Session)
            else self._take_segment(replace(item, upload_id=self._upload.upload_id), new, gone)
            for item in told
        ]
        makes_way = [segment for segment in gone if segment in held]
        sleep.write_segments(self._connection, self._upload.person_id, new, makes_way)
        self._derive(before, self._nights())
        return verdicts

    def take_back(self, told: Iterable[Session | Segment]) -> int:
        """Remove what the upload brought before and no longer tells; return how much that was."""
        person_id, upload_id = self._upload.person_id, self._upload.upload_id
        places = {_place(item) for item in told}
        sessions = {
            record_id: session
            for record_id, session in sleep.sessions_of_upload(self._connection, person_id, upload_id).items()
            if _place(session) not in places
        }
        segments = [
            segment
            for segment in sleep.segments_of_upload(self._connection, person_id, upload_id)
            if _place(segment) not in places
        ]
        gone: list[Session | Segment] = [*sessions.values(), *segments]
        if gone:
            self._load(gone)
            before = self._nights()
            removal.remove_records(self._connection, person_id, list(sessions))
            sleep.write_segments(self._connection, person_id, (), segments)
            self._load(gone)
            for item in gone:
                self._touch(item.night if isinstance(item, Session) else local_day(item.end, item.offset))
            self._derive(before, self._nights())
        return len(gone)

    def _load(self, told: Iterable[Session | Segment]) -> set[Segment]:
        begins = [item.begin if isinstance(item, Session) else item.start for item in told]
        span = min(begins) - MARGIN_DAYS * DAY_US, max(begins) + MARGIN_DAYS * DAY_US
        held = sleep.sessions_between(self._connection, self._upload.person_id, *span)
        self._sessions = Sessions(held.values())
        self._record_ids = {session.identity: record_id for record_id, session in held.items()}
        self._lines.clear()
        segments = sleep.segments_between(self._connection, self._upload.person_id, *span)
        for segment in segments:
            self._lines[segment.source, segment.stage].take(segment)
        return set(segments)

    def _nights(self) -> SourceNights:
        nights = nights_of(
            self._sessions,
            (segment for line in self._lines.values() for segment in line),
            self._rule_of("sleep_total").source_rank,
        )
        return {(night.day, of_source.source): of_source for night in nights for of_source in night.sources}

    def _take_session(self, told: Session) -> Verdict:
        verdict, stands, made_way = self._sessions.take(told)
        self._touch(told.night, stands.night)
        if verdict in (Verdict.STORED, Verdict.REVISED):
            upload = self._upload
            record_id = None
            if made_way is not None:
                self._touch(made_way.night)
                record_id = self._record_ids.pop(made_way.identity)
            self._record_ids[stands.identity] = records.write(
                self._connection,
                upload.person_id,
                upload.upload_id,
                upload.received_at,
                stands.as_record(),
                record_id,
            )
        return verdict

    def _take_segment(self, told: Segment, new: dict[Segment, None], gone: dict[Segment, None]) -> Verdict:
        verdict, clips = self._lines[told.source, told.stage].take(told)
        self._touch(local_day(told.start, told.offset), local_day(told.end, told.offset))
        if verdict in (Verdict.STORED, Verdict.REVISED):
            new[told] = None
        for clip in clips:
            new.pop(clip, None)
            gone[clip] = None
        return verdict

    def _touch(self, *days: int) -> None:
        """Remember a day and its neighbours, to which a night may move."""
        self._days.update(day + step for day in days for step in (-1, 0, 1))

    def _derive(self, before: SourceNights, after: SourceNights) -> None:
        """Store the totals of the touched nights.

        A sample is stamped with the newest upload that the night is made of, also when an older one has just been
        read, so that the ordinary verdict lets a changed night through.
        """
        by_upload: dict[int, dict[SeriesKey, Batch]] = defaultdict(dict)
        for place in sorted(before.keys() | after.keys()):
            if place[0] not in self._days:
                continue
            nights = [side[place] for side in (before, after) if place in side]
            stamp = max(
                self._upload.upload_id, *(upload_id for night in nights for upload_id in night.upload_ids)
            )
            values = dict.fromkeys(self._totals(before[place]) if place in before else ())
            values |= self._totals(after[place]) if place in after else {}
            for (key, offset), value in values.items():
                _append(
                    by_upload[stamp].setdefault(key, Batch(key, cumulative=True)), place[0], offset, value
                )
        for upload_id, batches in sorted(by_upload.items()):
            upload = replace(self._upload, upload_id=upload_id)
            Storing(self._connection, upload, self._rule_of).store(batches)

    def _totals(self, night: SourceNight) -> dict[tuple[SeriesKey, int], float | None]:
        """Return the night's hours by series and offset of its midnight; 0 in bed beside sleep means nobody looked."""
        hours = night.hours.as_dict()
        if not night.hours.in_bed and night.hours.total:
            hours["in_bed"] = None
        metrics = self._catalogue.compound(SLEEP) or {}
        return {
            (
                SeriesKey(metrics[field].key, night.source, Grain.DAY, metrics[field].unit),
                night.offset,
            ): hours[name]
            for name, field in FIELDS.items()
            if hours[name] is not None
        }


def is_derived(key: SeriesKey, catalogue: Catalogue) -> bool:
    """Whether the samples of a series are made of nights, which alone decide what they say."""
    metric = catalogue.metrics.get(key.metric)
    return metric is not None and metric.hae_name == SLEEP and key.grain is Grain.DAY


def _place(item: Session | Segment) -> tuple[str, ...]:
    return (item.identity,) if isinstance(item, Session) else (item.source, item.stage, str(item.start))


def _append(batch: Batch, day: int, offset: int, value: float | None) -> None:
    batch.item.append(len(batch))
    batch.start.append(day * DAY_US - offset * SECOND_US)
    batch.offset.append(offset)
    batch.day.append(day)
    batch.duration.append(DAY_S)
    batch.value.append(value)
