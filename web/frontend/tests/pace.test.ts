import assert from "node:assert/strict";
import { test } from "node:test";
import { leftWords, Pace, pauseOf, sizeWords } from "../src/parts/pace.ts";

test("sizes are said as the server says them", () => {
  assert.equal(sizeWords(999), "999 bytes");
  assert.equal(sizeWords(1_000), "1.0 kB");
  assert.equal(sizeWords(123_456_789), "123 MB");
  assert.equal(sizeWords(2_340_000_000), "2.3 GB");
});

test("time left is no more exact than it can be", () => {
  assert.equal(leftWords(3), "a few seconds left");
  assert.equal(leftWords(44), "about 40 seconds left");
  assert.equal(leftWords(240), "about 4 minutes left");
  assert.equal(leftWords(7_300), "about 2 hours left");
});

test("attempts come further and further apart, and never more than half a minute", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 60].map(pauseOf), [1, 2, 4, 8, 16, 30, 30]);
});

test("chunks take about a second, within the limits", () => {
  const pace = new Pace(8 << 20);
  assert.equal(pace.chunk, 1 << 20);
  pace.sent(1 << 20, 0.01);
  assert.equal(pace.chunk, 8 << 20);
  for (let times = 0; times < 40; times += 1) pace.sent(2_000_000, 1);
  assert.ok(Math.abs(pace.chunk - 2_000_000) < 50_000);
  for (let times = 0; times < 40; times += 1) pace.sent(1_000, 1);
  assert.equal(pace.chunk, 256 << 10);
  assert.equal(new Pace(4_096).chunk, 4_096);
});
