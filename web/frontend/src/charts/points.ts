/** Values along time, from whichever of our API's three shapes tells them: a series, samples, a curve of a workout. */

export interface Point {
  start: string;
  value: number | null;
  min: number | null;
  max: number | null;
  /** How many samples it stands for; null when it is one itself. */
  count: number | null;
  source: string | null;
}

interface Curve {
  at: string[];
  channels: Record<string, (number | null)[] | undefined>;
}
type Told = (Partial<Point> & { start: string })[];

/** Read `[{start, value, …}]`, `{items: [{start, value, …}]}` or `{at: […], channels: {value: […], …}}`. */
export function pointsOf(answer: unknown, channel = "value"): Point[] {
  const told = answer as Curve | { items: Told } | Told;
  if ("channels" in told) {
    const { channels } = told;
    const [values, low, high] = [channels[channel] ?? Object.values(channels)[0] ?? [], channels.min ?? [], channels.max ?? []];
    return told.at.map((start, n) => ({ start, value: values[n] ?? null, min: low[n] ?? null, max: high[n] ?? null, count: null, source: null }));
  }
  const items = Array.isArray(told) ? told : told.items;
  return items.map(({ start, value, min, max, count, source }) => ({
    start,
    value: value ?? null,
    min: min ?? null,
    max: max ?? null,
    count: count ?? null,
    source: source ?? null,
  }));
}

/** The points of the source that told most; several devices' readings are never joined into one line. */
export function fullestSource(points: Point[]): { source: string | null; points: Point[] } {
  const counts = new Map<string | null, number>();
  for (const { source } of points) counts.set(source, (counts.get(source) ?? 0) + 1);
  const fullest = [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
  return { source: fullest, points: points.filter(({ source }) => source === fullest) };
}

/** The lowest and highest number; null without any. (Spreading long lists into Math.min overflows the stack.) */
export function extent(values: Iterable<number | null>): [number, number] | null {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** Which of these rising numbers is nearest; -1 without any. */
export function nearestOf(count: number, numberAt: (index: number) => number, wanted: number): number {
  let [low, high] = [0, count - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numberAt(middle) < wanted) low = middle + 1;
    else high = middle;
  }
  return low > 0 && Math.abs(numberAt(low - 1) - wanted) < Math.abs(numberAt(low) - wanted) ? low - 1 : count ? low : -1;
}
