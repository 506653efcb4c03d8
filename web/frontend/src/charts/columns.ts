/** Several series side by side, a column each, on all buckets of a window; what nobody told is null, not 0. */

import { type Point } from "./points.ts";
import { type Bucket, bucketStart, nextBucket, wallClock, type Window } from "./time.ts";

export interface Columns {
  /** The first moment of each bucket as a wall clock, rising. An hour that summer time repeats is there twice. */
  starts: number[];
  values: (number | null)[][];
}

const MOST_BUCKETS = 9_000; // a year of hours

export function columnsOf(told: Point[][], bucket: Bucket, window: Window | null): Columns {
  // Hours are told apart by their instant, days and longer by their date: offsets may differ between metrics.
  const keyOf = (start: string): number => (bucket === "hour" || bucket === "moment" ? Date.parse(start) : bucketStart(wallClock(start), bucket));
  const walls = new Map<number, number>();
  const columns = told.map((points) => {
    const column = new Map<number, number | null>();
    for (const { start, value } of points) {
      const key = keyOf(start);
      column.set(key, value);
      walls.set(key, bucketStart(wallClock(start), bucket));
    }
    return column;
  });
  const places: { wall: number; key: number | null }[] = [...walls].map(([key, wall]) => ({ wall, key }));
  if (window && bucket !== "moment") {
    const held = new Set(walls.values());
    let count = 0;
    for (let wall = bucketStart(window.start, bucket); wall < window.end && count < MOST_BUCKETS; wall = nextBucket(wall, bucket), count++)
      if (!held.has(wall)) places.push({ wall, key: null });
  }
  places.sort((a, b) => a.wall - b.wall || (a.key ?? 0) - (b.key ?? 0));
  return {
    starts: places.map(({ wall }) => wall),
    values: columns.map((column) => places.map(({ key }) => (key === null ? null : (column.get(key) ?? null)))),
  };
}

/** What all columns tell together of each bucket; null where none tells anything. */
export function totalsOf({ starts, values }: Columns): (number | null)[] {
  return starts.map((_, n) => {
    const parts = values.flatMap((column) => column[n] ?? []);
    return parts.length ? parts.reduce((sum, part) => sum + part, 0) : null;
  });
}
