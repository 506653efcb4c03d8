/** The geometry of a route: from degrees to metres on a flat sheet, and along it. Pure. */

const EARTH_M = 6_371_008.8; // mean radius, IUGG
const DEGREE = Math.PI / 180;

/** Longitude and latitude in degrees. */
export type Place = readonly [number, number];

/** Longitudes that go on across the date line instead of jumping round the world. */
export function unwrapped(places: Place[]): Place[] {
  let turn = 0;
  return places.map(([east, north], n) => {
    const step = n ? east - (places[n - 1]?.[0] ?? east) : 0;
    if (step > 180) turn -= 360;
    else if (step < -180) turn += 360;
    return [east + turn, north];
  });
}

/**
 * Metres east and north of the middle of the places (equirectangular, true along the middle latitude): as far as
 * a person goes in a workout, no straight line is off by more than can be seen.
 */
export function flat(places: Place[]): [number, number][] {
  const whole = unwrapped(places);
  const middle = (pick: 0 | 1): number => {
    let [low, high] = [Infinity, -Infinity];
    for (const place of whole) {
      low = Math.min(low, place[pick]);
      high = Math.max(high, place[pick]);
    }
    return (low + high) / 2;
  };
  const [east, north] = [middle(0), middle(1)];
  const narrowing = Math.cos(north * DEGREE);
  return whole.map((place) => [(place[0] - east) * DEGREE * EARTH_M * narrowing, (place[1] - north) * DEGREE * EARTH_M]);
}

/** Metres between two places (haversine). */
export function metres([eastA, northA]: Place, [eastB, northB]: Place): number {
  const half = (angle: number): number => Math.sin((angle * DEGREE) / 2) ** 2;
  const a = half(northB - northA) + Math.cos(northA * DEGREE) * Math.cos(northB * DEGREE) * half(eastB - eastA);
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(a)));
}

/** Metres gone up to each place. */
export function gone(places: Place[]): number[] {
  let sum = 0;
  return places.map((place, n) => (sum += n ? metres(places[n - 1] ?? place, place) : 0));
}

/** Metres per second round each place, over `window` seconds (a satellite's error is lost in a minute); null where no time went by. */
export function speeds(distances: number[], times: number[], window = 60): (number | null)[] {
  const half = (window * 1000) / 2;
  let [first, last] = [0, 0];
  return times.map((time, n) => {
    while ((times[first] ?? 0) < time - half) first++;
    while (last + 1 < times.length && (times[last + 1] ?? 0) <= time + half) last++;
    // Points far apart have nobody else in their window: then the step to the neighbours.
    const [from, to] = last > first ? [first, last] : [Math.max(0, n - 1), Math.min(times.length - 1, n + 1)];
    const seconds = ((times[to] ?? 0) - (times[from] ?? 0)) / 1000;
    return seconds > 0 ? ((distances[to] ?? 0) - (distances[from] ?? 0)) / seconds : null;
  });
}

/** Limits between `classes` equally well filled classes: one less than classes, rising; fewer where values repeat. */
export function limits(values: (number | null)[], classes: number): number[] {
  const held = values.filter((value) => value !== null).sort((a, b) => a - b);
  const found = Array.from({ length: classes - 1 }, (_, n) => held[Math.floor(((n + 1) * held.length) / classes)] ?? 0);
  return held.length ? found.filter((limit, n) => limit > (n ? (found[n - 1] ?? 0) : (held[0] ?? 0))) : [];
}

/** Which class a value falls into. */
export function classOf(value: number, between: number[]): number {
  let n = 0;
  while (n < between.length && value >= (between[n] ?? 0)) n++;
  return n;
}

/** The longest of 1, 2, 5, 10, 20 … that is at most this. */
export function roundLength(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([5, 2].find((step) => step * power <= most) ?? 1);
}
