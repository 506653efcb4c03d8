import assert from "node:assert/strict";
import { test } from "node:test";
import { calendarOf, usualWeek } from "../src/charts/cells.ts";
import { columnsOf, totalsOf } from "../src/charts/columns.ts";
import { csvOf } from "../src/charts/csv.ts";
import { extent, fullestSource, nearestOf, pointsOf } from "../src/charts/points.ts";
import { windowOf } from "../src/charts/time.ts";

const told = (start: string, value: number | null) => ({ start, value, min: null, max: null, count: null, source: null });

test("a cell with commas, quotes or a formula harms no spreadsheet, a negative number stays one", () => {
  assert.equal(csvOf([['a,"b"', "=1+1", "-2.5", "-x", null]]), "\"a,\"\"b\"\"\",'=1+1,-2.5,'-x,\r\n");
});

test("series, samples and curves are read alike", () => {
  const point = { start: "2026-08-07T00:00:00Z", value: 2, min: 1, max: 3, count: null, source: null };
  assert.deepEqual(pointsOf([{ start: point.start, value: 2, min: 1, max: 3 }]), [point]);
  assert.deepEqual(pointsOf({ items: [{ ...point, source: "Watch", unit: "x" }], next: null }), [{ ...point, source: "Watch" }]);
  assert.deepEqual(pointsOf({ name: "x", at: [point.start], channels: { value: [2], min: [1], max: [3] } }), [point]);
});

test("readings of two devices are not joined", () => {
  const points = [..."aabab"].map((source, n) => ({ ...told(`2026-08-07T00:0${n}:00Z`, n), source }));
  assert.equal(fullestSource(points).source, "a");
  assert.deepEqual(fullestSource(points).points.map((point) => point.value), [0, 1, 3]);
});

test("the nearest value and the extent are found without spreading long lists", () => {
  const many = Array.from({ length: 300_000 }, (_, n) => n);
  assert.deepEqual(extent(many), [0, 299_999]);
  assert.equal(extent([null]), null);
  assert.equal(nearestOf(3, (n) => [0, 10, 20][n] ?? 0, 14), 1);
  assert.equal(nearestOf(0, () => 0, 14), -1);
});

test("every bucket of the window has a place, and nothing told is not 0", () => {
  const window = windowOf("/x?start=2026-08-01&end=2026-08-04");
  const columns = columnsOf([[told("2026-08-01T00:00:00+02:00", 0), told("2026-08-03T00:00:00+02:00", 5)], [told("2026-08-03T00:00:00+03:00", 1)]], "day", window);
  assert.deepEqual(columns.values, [[0, null, 5, null], [null, null, 1, null]]);
  assert.deepEqual(totalsOf(columns), [0, null, 6, null]);
});

test("an hour that summer time repeats keeps both its values", () => {
  const columns = columnsOf([[told("2026-10-25T02:00:00+02:00", 1), told("2026-10-25T02:00:00+01:00", 2)]], "hour", windowOf("/x?start=2026-10-25&end=2026-10-25"));
  assert.equal(columns.starts.length, 25);
  assert.deepEqual(columns.values[0]?.filter((value) => value !== null), [1, 2]);
});

test("the usual week averages weekdays, and counts silent hours of told days for sums alone", () => {
  const points = [told("2026-08-03T08:00:00+02:00", 10), told("2026-08-10T08:00:00+02:00", 20), told("2026-08-10T09:00:00+02:00", 4)]; // Mondays
  assert.deepEqual(usualWeek(points, false).slice(7, 11), [null, 15, 4, null]);
  assert.deepEqual(usualWeek(points, true).slice(7, 11), [0, 15, 2, 0]);
  assert.equal(usualWeek(points, true)[24], null);
});

test("a calendar has every day of its window in columns of weeks", () => {
  const days = calendarOf([told("2026-08-03", 7)], windowOf("/x?start=2026-08-01&end=2026-08-04"));
  assert.deepEqual(days.map(({ value, week, weekday }) => [value, week, weekday]), [[null, 0, 5], [null, 0, 6], [7, 1, 0], [null, 1, 1]]);
});
