import assert from "node:assert/strict";
import { test } from "node:test";
import { classOf, flat, gone, limits, metres, roundLength, speeds } from "../src/charts/ground.ts";
import { lanesOf } from "../src/charts/lanes.ts";
import { clock } from "../src/charts/time.ts";
import { between, paperReach, perMillivolt, traceOf } from "../src/charts/volts.ts";

const close = (actual: number, wanted: number, within: number): void => assert.ok(Math.abs(actual - wanted) <= within, `${actual} is not ${wanted}`);

test("a metre east is as long as a metre north, at any latitude", () => {
  for (const north of [0, 48, -70]) {
    const side = 0.001;
    const [a, b, c] = flat([[10, north], [10 + side / Math.cos((north * Math.PI) / 180), north], [10, north + side]]);
    assert.ok(a && b && c);
    close((b[0] - a[0]) / (c[1] - a[1]), 1, 0.001);
  }
});

test("a way across the date line goes on", () => {
  const sheet = flat([[179.999, 0], [-179.999, 0]]);
  close((sheet[1]?.[0] ?? 0) - (sheet[0]?.[0] ?? 0), metres([179.999, 0], [-179.999, 0]), 0.5);
  const back = flat([[-179.999, 0], [179.999, 0]]);
  close((back[0]?.[0] ?? 0) - (back[1]?.[0] ?? 0), metres([179.999, 0], [-179.999, 0]), 0.5);
  close(metres([0, 0], [1, 0]), 111_195, 10);
});

test("speed is distance by time, also between rare points, and none where no time went by", () => {
  const times = Array.from({ length: 100 }, (_, n) => n * 1000);
  const way = gone(times.map((_, n) => [0, (n * 3) / 111_195]));
  close(speeds(way, times)[50] ?? 0, 3, 0.01);
  close(speeds([0, 600], [0, 200_000])[0] ?? 0, 3, 0.01);
  assert.deepEqual(speeds([0, 5], [0, 0]), [null, null]);
});

test("classes are equally well filled, and fewer where values repeat", () => {
  assert.deepEqual(limits([1, 2, 3, 4, 5, null], 5), [2, 3, 4, 5]);
  assert.deepEqual(limits([7, 7, 7], 5), []);
  assert.equal(classOf(3, [2, 3, 4, 5]), 2);
  assert.deepEqual([0.9, 130, 260, 999].map(roundLength), [0.5, 100, 200, 500]);
});

const session = (segments: [string, string, string][], rest = {}) => ({ start: null, end: null, in_bed_start: null, in_bed_end: null, is_nap: false, segments: segments.map(([start, end, stage]) => ({ start, end, stage })), ...rest });

test("a night in which summer time ends has its repeated hour twice, as wide as any other", () => {
  const lanes = lanesOf(session([["2026-10-25T01:30:00+02:00", "2026-10-25T02:30:00+02:00", "core"], ["2026-10-25T02:30:00+02:00", "2026-10-25T02:10:00+01:00", "deep"], ["2026-10-25T02:10:00+01:00", "2026-10-25T03:30:00+01:00", "rem"]]));
  assert.deepEqual(lanes?.ticks.map(({ wall }) => clock(wall)), ["02:00", "02:00", "03:00"]);
  assert.equal((lanes.end - lanes.start) / 3_600_000, 3);
  assert.equal((lanes.stretches[1]?.end ?? 0) - (lanes.stretches[1]?.start ?? 0), 40 * 60_000);
  assert.deepEqual(lanes.stages, ["awake", "rem", "core", "deep"]);
});

test("without stages there is a lane of sleep, in bed is round it, and without times nothing is invented", () => {
  const lanes = lanesOf(session([["2026-08-07T23:00:00Z", "2026-08-08T06:00:00Z", "asleep"], ["2026-08-07T22:00:00Z", "2026-08-08T07:00:00Z", "in_bed"]]));
  assert.deepEqual(lanes?.stages, ["asleep"]);
  assert.deepEqual(lanes.inBed, [Date.parse("2026-08-07T22:00:00Z"), Date.parse("2026-08-08T07:00:00Z")]);
  assert.deepEqual(lanesOf(session([["2026-08-07T22:00:00Z", "2026-08-08T07:00:00Z", "in_bed"]]))?.stages, ["in_bed"]);
  const sum = lanesOf(session([], { start: "2026-08-07T23:00:00Z", end: "2026-08-08T06:00:00Z" }));
  assert.equal(sum?.hasStages, false);
  assert.equal(sum.stretches.length, 1);
  assert.equal(lanesOf(session([])), null);
});

test("millivolts are the same whichever unit told them, and an unknown unit draws nothing", () => {
  assert.deepEqual(["V", "mV", "mcV", "µV", "μV", "uV", "kV", null].map(perMillivolt), [0.001, 1, 1000, 1000, 1000, 1000, null, null]);
  const trace = traceOf({ voltages: [500, null, -250], units: "mcV", sampling_frequency: 500, at: [] });
  assert.deepEqual(trace?.millivolts, [0.5, null, -0.25]);
  assert.deepEqual(trace.seconds, [0, 0.002, 0.004]);
  assert.equal(traceOf({ voltages: [1], units: "mV", sampling_frequency: null, at: [] }), null);
});

test("a caliper measures time, rate and voltage", () => {
  const trace = traceOf({ voltages: Array.from({ length: 1001 }, (_, n) => n), units: "mcV", sampling_frequency: 500, at: [] });
  assert.ok(trace);
  assert.deepEqual(between(trace, 100, 500), { ms: 800, bpm: 75, millivolts: 0.4 });
  assert.deepEqual(paperReach([0.2, 1.9, -1.2, null]), [-1.5, 2]);
});
