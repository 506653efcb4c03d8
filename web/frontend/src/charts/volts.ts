/** An ECG as numbers: millivolts along seconds. Pure. */

export interface Ecg {
  start: string;
  voltages: (number | null)[];
  units: string | null;
  sampling_frequency: number | null;
  voltage_start: string | null;
  at: string[];
  source: string;
  label: string;
  content: Record<string, unknown>;
}

/** How many of a unit make a millivolt; null for a unit nobody knows. */
export function perMillivolt(unit: string | null): number | null {
  switch ((unit ?? "").replace("μ", "µ")) {
    case "V":
      return 0.001;
    case "mV":
      return 1;
    case "mcV":
    case "uV":
    case "µV":
      return 1000;
    default:
      return null;
  }
}

export interface Trace {
  /** Seconds since the first voltage. */
  seconds: number[];
  millivolts: (number | null)[];
  length: number;
}

/** Null when the unit or the times cannot be known: better nothing than a wrong scale. */
export function traceOf({ voltages, units, sampling_frequency: frequency, at }: Pick<Ecg, "voltages" | "units" | "sampling_frequency" | "at">): Trace | null {
  const share = perMillivolt(units);
  if (share === null || !voltages.length) return null;
  const first = Date.parse(at[0] ?? "");
  let seconds: number[];
  if (at.length === voltages.length) seconds = at.map((instant) => (Date.parse(instant) - first) / 1000);
  else if (frequency && frequency > 0) seconds = voltages.map((_, n) => n / frequency);
  else return null;
  return { seconds, millivolts: voltages.map((value) => (value === null ? null : value / share)), length: seconds.at(-1) ?? 0 };
}

/** What lies between two marks of a caliper. */
export function between(trace: Trace, a: number, b: number): { ms: number; bpm: number | null; millivolts: number | null } {
  const ms = Math.abs((trace.seconds[b] ?? 0) - (trace.seconds[a] ?? 0)) * 1000;
  const [from, to] = [trace.millivolts[a] ?? null, trace.millivolts[b] ?? null];
  return { ms, bpm: ms > 0 ? 60_000 / ms : null, millivolts: from === null || to === null ? null : to - from };
}

/** Whole and half millivolts round what is told, at least from −1 to 1.5; nothing is cut off below 5 mV. */
export function paperReach(millivolts: (number | null)[]): [number, number] {
  let [low, high] = [-1, 1.5];
  for (const value of millivolts) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [Math.max(-5, Math.floor(low * 2) / 2), Math.min(5, Math.ceil(high * 2) / 2)];
}
