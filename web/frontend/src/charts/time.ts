/** Instants as the API tells them: the wall clock of where the person was stands in the text itself. */

const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** How wide the values of a series are; `moment` are readings at any time, as samples and curves of workouts. */
export type Bucket = "moment" | "hour" | "day" | "week" | "month";

/** From a first instant to before a last one, both as wall clocks. */
export interface Window {
  start: number;
  end: number;
}

/** "2026-08-07T13:00:00+02:00" → its wall clock as if it were UTC, in ms; so that no browser zone bends it. */
export function wallClock(instant: string): number {
  const fraction = /\.\d+/.exec(instant)?.[0] ?? "";
  return Date.parse(`${instant.length === 10 ? `${instant}T00:00:00` : instant.slice(0, 19)}${fraction}Z`);
}

/** The same → ms that its clock is ahead of UTC. */
export function offsetOf(instant: string): number {
  return wallClock(instant) - Date.parse(instant);
}

const formats = {
  moment: new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC" }),
  hour: new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" }),
  day: new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }),
  week: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }),
  month: new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" }),
  clock: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" }),
  shortDay: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }),
  shortMonth: new Intl.DateTimeFormat("en-GB", { month: "short", timeZone: "UTC" }),
};

export function inWords(wall: number, bucket: Bucket): string {
  const text = formats[bucket].format(wall);
  return bucket === "week" ? `Week of ${text}` : text;
}

export function clock(wall: number): string {
  return formats.clock.format(wall);
}

/** What stands under a bar: as short as its neighbours allow. */
export function tickWords(wall: number, bucket: Bucket, isWithinADay: boolean): string {
  if (bucket === "month") return formats.shortMonth.format(wall) + (new Date(wall).getUTCMonth() === 0 ? ` ${new Date(wall).getUTCFullYear()}` : "");
  if (bucket === "hour" && isWithinADay) return formats.clock.format(wall);
  return formats.shortDay.format(wall);
}

/** The window that an address of the API asks for (`start` and an included day or excluded instant `end`), if it does. */
export function windowOf(address: string): Window | null {
  const query = new URLSearchParams(address.split("?")[1] ?? "");
  const [start, end] = [query.get("start") ?? "", query.get("end") ?? ""];
  const window = { start: wallClock(start), end: wallClock(end) + (end.length === 10 ? DAY_MS : 0) };
  return Number.isFinite(window.start) && window.end > window.start ? window : null;
}

/** The start of the bucket a wall clock falls into; weeks begin on Monday. */
export function bucketStart(wall: number, bucket: Bucket): number {
  if (bucket === "moment") return wall;
  if (bucket === "hour") return Math.floor(wall / HOUR_MS) * HOUR_MS;
  const day = Math.floor(wall / DAY_MS);
  if (bucket === "day") return day * DAY_MS;
  if (bucket === "week") return (day - ((((day + 3) % 7) + 7) % 7)) * DAY_MS; // 1 January 1970 was a Thursday
  const date = new Date(wall);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
}

export function nextBucket(start: number, bucket: Bucket): number {
  if (bucket === "month") {
    const date = new Date(start);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
  }
  return start + { moment: 1, hour: HOUR_MS, day: DAY_MS, week: 7 * DAY_MS }[bucket];
}

/**
 * Which of these instants follow a gap: a bucket that the API left out, or, among readings at any time, a silence of
 * twenty times the usual (and two minutes at least).
 */
export function gapsBefore(instants: string[], bucket: Bucket): boolean[] {
  // Hours are counted on the true clock, so that no summer time looks like a gap; days on the wall.
  const onTrueClock = bucket === "hour" || bucket === "moment";
  const times = instants.map((instant) => (onTrueClock ? Date.parse(instant) : wallClock(instant)));
  const steps = times.slice(1).map((time, n) => time - (times[n] ?? 0));
  let longest: number;
  if (bucket === "moment") {
    const usual = steps.toSorted((a, b) => a - b)[steps.length >> 1] ?? 0;
    longest = Math.max(20 * usual, 2 * MINUTE_MS);
  } else longest = 1.5 * { hour: HOUR_MS, day: DAY_MS, week: 7 * DAY_MS, month: 31 * DAY_MS }[bucket];
  return times.map((_, n) => n > 0 && (steps[n - 1] ?? 0) > longest);
}
