/** Values laid out as cells: an hour of the usual week, or a day of a calendar. */

import type { Point } from "./points.ts";
import { bucketStart, DAY_MS, HOUR_MS, wallClock, type Window } from "./time.ts";

export const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** 0 for Monday of the day a wall clock falls into. */
export function weekdayOf(wall: number): number {
  return (((Math.floor(wall / DAY_MS) + 3) % 7) + 7) % 7; // 1 January 1970 was a Thursday
}

/**
 * The average of each hour of each weekday, 7 × 24, null where nothing was told. With `isSum` an hour without data
 * counts as 0 on days that have any.
 */
export function usualWeek(points: Point[], isSum: boolean): (number | null)[] {
  const sums = new Array<number>(168).fill(0);
  const counts = new Array<number>(168).fill(0);
  const days = new Set<number>();
  for (const { start, value } of points) {
    if (value === null) continue;
    const wall = wallClock(start);
    days.add(Math.floor(wall / DAY_MS));
    const cell = weekdayOf(wall) * 24 + Math.floor((((wall % DAY_MS) + DAY_MS) % DAY_MS) / HOUR_MS);
    sums[cell] = (sums[cell] ?? 0) + value;
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  if (isSum) {
    const held = new Array<number>(7).fill(0);
    for (const day of days) held[weekdayOf(day * DAY_MS)] = (held[weekdayOf(day * DAY_MS)] ?? 0) + 1;
    for (let cell = 0; cell < 168; cell++) counts[cell] = held[Math.floor(cell / 24)] ?? 0;
  }
  return sums.map((sum, n) => (counts[n] ? sum / (counts[n] ?? 1) : null));
}

export interface Day {
  wall: number;
  value: number | null;
  /** Whole weeks after the first one, and 0 for Monday. */
  week: number;
  weekday: number;
}

/** Every day of the window, or from the first to the last one told. */
export function calendarOf(points: Point[], window: Window | null): Day[] {
  const values = new Map(points.map((point) => [bucketStart(wallClock(point.start), "day"), point.value]));
  const told = [...values.keys()];
  const first = window ? bucketStart(window.start, "day") : told.reduce((least, wall) => Math.min(least, wall), Infinity);
  const last = window ? bucketStart(window.end - 1, "day") : told.reduce((most, wall) => Math.max(most, wall), -Infinity);
  const days: Day[] = [];
  const monday = bucketStart(first, "week");
  for (let wall = first; wall <= last; wall += DAY_MS)
    days.push({ wall, value: values.get(wall) ?? null, week: Math.floor((wall - monday) / (7 * DAY_MS)), weekday: weekdayOf(wall) });
  return days;
}
