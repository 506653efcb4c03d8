/** A night as lanes along a true clock: an hour is as wide as any other, also when summer time begins or ends. */

import { HOUR_MS, offsetOf, wallClock } from "./time.ts";

export interface Segment {
  start: string;
  end: string;
  stage: string;
}
export interface Session {
  start: string | null;
  end: string | null;
  in_bed_start: string | null;
  in_bed_end: string | null;
  is_nap: boolean;
  segments: Segment[];
}
export interface Telling {
  source: string;
  shown: boolean;
  sessions: Session[];
}

/** A stretch of one stage; instants in ms since 1970. */
export interface Stretch {
  start: number;
  end: number;
  stage: string;
  startWall: number;
  endWall: number;
}

export interface Lanes {
  start: number;
  end: number;
  /** Stages from the top down. */
  stages: string[];
  stretches: Stretch[];
  inBed: [number, number] | null;
  /** False when only sums are told: then one stretch from falling asleep to waking up. */
  hasStages: boolean;
  ticks: { at: number; wall: number }[];
}

export const STAGE_NAMES: Record<string, string> = { awake: "Awake", rem: "REM", core: "Core", deep: "Deep", asleep: "Asleep", in_bed: "In bed" };

/** Lay out one session; null when it has no times. */
export function lanesOf(session: Session): Lanes | null {
  let told = session.segments.filter((segment) => segment.stage in STAGE_NAMES);
  const hasStages = told.some((segment) => segment.stage !== "in_bed");
  const [from, to] = session.start && session.end ? [session.start, session.end] : [session.in_bed_start, session.in_bed_end];
  if (!told.length && from && to) told = [{ start: from, end: to, stage: session.start ? "asleep" : "in_bed" }];
  const stretches = told
    .map(({ start, end, stage }) => ({ start: Date.parse(start), end: Date.parse(end), stage, startWall: wallClock(start), endWall: wallClock(end) }))
    .filter(({ start, end }) => end > start)
    .sort((a, b) => a.start - b.start);
  const bed: [number, number] | null = session.in_bed_start && session.in_bed_end ? [Date.parse(session.in_bed_start), Date.parse(session.in_bed_end)] : null;
  const sleep = stretches.some(({ stage }) => stage !== "in_bed") ? stretches.filter(({ stage }) => stage !== "in_bed") : stretches;
  const inBed = bed ?? envelope(stretches.filter(({ stage }) => stage === "in_bed"));
  const whole = envelope([...stretches, ...(inBed ? [{ start: inBed[0], end: inBed[1] }] : [])]);
  if (!whole) return null;
  const order = ["awake", "rem", "core", "asleep", "deep", "in_bed"];
  const present = new Set(sleep.map(({ stage }) => stage));
  // A night with stages shows all four lanes, so that nights look alike and a missing stage is seen.
  if (["rem", "core", "deep"].some((stage) => present.has(stage))) for (const stage of ["awake", "rem", "core", "deep"]) present.add(stage);
  const offsets = told.flatMap(({ start, end }) => [
    { at: Date.parse(start), offset: offsetOf(start) },
    { at: Date.parse(end), offset: offsetOf(end) },
  ]);
  return {
    start: whole[0],
    end: whole[1],
    stages: order.filter((stage) => present.has(stage)),
    stretches: sleep,
    inBed,
    hasStages,
    ticks: hoursBetween(whole[0], whole[1], offsets),
  };
}

function envelope(stretches: { start: number; end: number }[]): [number, number] | null {
  return stretches.length ? [Math.min(...stretches.map(({ start }) => start)), Math.max(...stretches.map(({ end }) => end))] : null;
}

/**
 * The full hours of the person's clock. Between two stretches with different offsets the clock was changed at the first
 * full hour (clocks are changed at full hours), so that a repeated hour is there twice.
 */
export function hoursBetween(start: number, end: number, offsets: { at: number; offset: number }[]): { at: number; wall: number }[] {
  const known = offsets
    .toSorted((a, b) => a.at - b.at)
    .map((each, n, all) => {
      const before = all[n - 1];
      if (!before || before.offset === each.offset) return each;
      const change = (Math.floor(before.at / HOUR_MS) + 1) * HOUR_MS;
      return { at: Math.min(change, each.at), offset: each.offset };
    });
  const offsetAt = (at: number): number => (known.findLast((each) => each.at <= at) ?? known[0])?.offset ?? 0;
  const ticks: { at: number; wall: number }[] = [];
  const quarter = HOUR_MS / 4; // the finest offset of any zone
  for (let at = Math.ceil(start / quarter) * quarter; at <= end; at += quarter) {
    const wall = at + offsetAt(at);
    if (wall % HOUR_MS === 0) ticks.push({ at, wall });
  }
  return ticks;
}
