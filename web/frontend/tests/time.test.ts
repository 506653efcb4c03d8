import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketStart, DAY_MS, gapsBefore, inWords, nextBucket, offsetOf, wallClock, windowOf } from "../src/charts/time.ts";

test("an instant is told by the clock where the person was", () => {
  assert.equal(inWords(wallClock("2026-08-07T23:30:00+09:00"), "hour"), "Fri 7 Aug, 23:30");
  assert.equal(offsetOf("2026-08-07T23:30:00-03:30"), -3.5 * 3_600_000);
  assert.equal(wallClock("2026-08-07"), Date.UTC(2026, 7, 7));
});

test("an included last day belongs to the window, an instant ends it", () => {
  assert.deepEqual(windowOf("/x?start=2026-08-01&end=2026-08-02"), { start: Date.UTC(2026, 7, 1), end: Date.UTC(2026, 7, 3) });
  assert.deepEqual(windowOf("/x?start=2026-08-01&end=2026-08-02T10%3A00%3A00%2B02%3A00"), { start: Date.UTC(2026, 7, 1), end: Date.UTC(2026, 7, 2, 10) });
  assert.equal(windowOf("/x?bucket=day"), null);
});

test("weeks begin on Monday, also before 1970, and months have their own lengths", () => {
  assert.equal(bucketStart(Date.UTC(2026, 10, 22), "week"), Date.UTC(2026, 10, 16));
  assert.equal(bucketStart(Date.UTC(1969, 11, 28), "week"), Date.UTC(1969, 11, 22));
  assert.equal(nextBucket(Date.UTC(2024, 1, 1), "month"), Date.UTC(2024, 2, 1));
});

test("a bucket left out is a gap, a month of 31 days and summer time are none", () => {
  const days = ["2026-01-01", "2026-01-02", "2026-01-04"].map((day) => `${day}T00:00:00+01:00`);
  assert.deepEqual(gapsBefore(days, "day"), [false, false, true]);
  const months = ["2026-01-01", "2026-02-01", "2026-04-01"].map((day) => `${day}T00:00:00+01:00`);
  assert.deepEqual(gapsBefore(months, "month"), [false, false, true]);
  assert.deepEqual(gapsBefore(["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T05:00:00+02:00"], "hour"), [false, false, true]);
});

test("a silence of twenty times the usual breaks the line of readings", () => {
  const minutes = [0, 1, 2, 3, 4, 40].map((minute) => new Date(minute * 60_000).toISOString());
  assert.deepEqual(gapsBefore(minutes, "moment"), [false, false, false, false, false, true]);
  const daily = [0, 1, 2, 4].map((day) => new Date(day * DAY_MS).toISOString());
  assert.deepEqual(gapsBefore(daily, "moment"), [false, false, false, false]);
});
