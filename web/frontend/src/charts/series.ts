import { button, ChartElement, type Picture, type Sign, token, type Told } from "./element";
import { extent, type Point, pointsOf } from "./points";
import { asText, quantityOf, shortNumber, shown } from "./quantity";
import { type Bucket, DAY_MS, gapsBefore, inWords, nextBucket, wallClock, type Window, windowOf } from "./time";

interface Mark {
  at: number;
  words: string;
}
interface Line {
  points: Point[];
  times: number[];
  /** Values of the period before, moved to where this one is. */
  before: Map<number, number | null>;
  marks: Mark[];
  window: Window | null;
}

/**
 * `<hb-series>`: one metric along time as a line with the band from its lowest to its highest value. `src` answers with
 * a series, samples, or a curve of a workout (of which `channel` is drawn, `value` unless told). Further attributes:
 *
 * * `bucket`: moment | hour | day | week | month (day unless told); a bucket that was left out breaks the line;
 * * `unit`, `decimals`, `factor`, `offset`: shown = stored × factor + offset; `kind`: a colour token;
 * * `compare`: the series of another period, dashed, moved by the difference of the `start`s of both addresses;
 * * `band-low`, `band-high`: the person's usual range, as stored; * `marks`: records to mark, as /api/v1/records/…;
 * * `sync`: see `ChartElement`.
 *
 * Zooms by pinch, by Ctrl with the wheel, by its buttons and the keys + − 0; the keys go round what is pointed at.
 */
class Series extends ChartElement<Line> {
  private zoomOut = button("−");
  private zoom: ((factor: number) => void) | null = null;

  private get bucket(): Bucket {
    return (this.getAttribute("bucket") ?? "day") as Bucket;
  }

  protected override furtherAddresses(): string[] {
    return [...this.addresses("compare").slice(0, 1), ...this.addresses("marks").slice(0, 1)];
  }

  protected override accept(answers: unknown[]): Line {
    const channel = this.getAttribute("channel") ?? "value";
    const points = pointsOf(answers[0], channel);
    const times = points.map((point) => wallClock(point.start));
    const further = answers.slice(this.addresses().length);
    const before = this.addresses("compare").length ? further.shift() : null;
    const marks = further[0] as { items: { start: string; label: string }[] } | null | undefined;
    const window = windowOf(this.addresses()[0] ?? "");
    return {
      points,
      times,
      before: before ? this.moved(pointsOf(before, channel), window, times) : new Map(),
      marks: (marks?.items ?? []).map(({ start, label }) => ({ at: wallClock(start), words: label })),
      window,
    };
  }

  private moved(points: Point[], window: Window | null, times: number[]): Map<number, number | null> {
    const then = windowOf(this.addresses("compare")[0] ?? "")?.start ?? wallClock(points[0]?.start ?? "");
    const shift = (window?.start ?? times[0] ?? 0) - then;
    return new Map(points.map((point) => [wallClock(point.start) + shift, point.value]));
  }

  private usual(): [number, number] | null {
    const [low, high] = [this.getAttribute("band-low"), this.getAttribute("band-high")].map((text) => (text ? Number(text) : Number.NaN));
    return low !== undefined && high !== undefined && low <= high ? [low, high] : null;
  }

  protected tell({ points, times, before, marks }: Line): Told {
    const quantity = quantityOf(this);
    const text = (value: number | null): string | null => asText(value, quantity);
    const reach = extent(points.map((point) => point.value));
    const has = {
      band: points.some((point) => point.min !== null && point.max !== null && point.min < point.max),
      count: points.some((point) => point.count !== null),
      before: before.size > 0,
    };
    const marked = wordsOfMarks(marks, times, this.bucket);
    const last = points.findLast((point) => point.value !== null);
    const usual = this.usual();
    const kind = this.getAttribute("kind") ?? "accent";
    const signs: (Sign | false)[] = [
      { words: has.band ? "Average" : "Value", kind, shape: "line" },
      has.band && { words: "Lowest to highest", kind, shape: "area" },
      usual && { words: `Usual range, ${text(usual[0])} to ${text(usual[1])}`, kind: "quiet", shape: "area" },
      has.before && { words: "Period before", kind: "quiet", shape: "dashed" },
      marks.length > 0 && { words: "Marked", kind: "warn", shape: "dashed" },
    ].map((sign) => sign || false) as (Sign | false)[];
    const legend = signs.filter((sign) => sign !== false);
    return {
      summary: reach
        ? `${points.length.toLocaleString("en")} ${points.length === 1 ? "value" : "values"}, from ${text(reach[0])} to ${text(reach[1])}; the last ${text(last?.value ?? null)}.`
        : "",
      columns: [
        "Time",
        "Value",
        ...(has.band ? ["Lowest", "Highest"] : []),
        ...(has.count ? ["Samples"] : []),
        ...(has.before ? ["Period before"] : []),
        ...(marked.size ? ["Marked"] : []),
      ],
      rows: reach
        ? points.map((point, n) => ({
            label: inWords(times[n] ?? 0, this.bucket),
            cells: [
              text(point.value),
              ...(has.band ? [text(point.min), text(point.max)] : []),
              ...(has.count ? [point.count?.toLocaleString("en") ?? null] : []),
              ...(has.before ? [text(before.get(times[n] ?? 0) ?? null)] : []),
              ...(marked.size ? [marked.get(n) ?? null] : []),
            ],
          }))
        : [],
      legend: legend.length > 1 ? legend : [],
      instants: points.map((point) => Date.parse(point.start)),
    };
  }

  protected override controls({ points }: Line): HTMLElement[] {
    if (points.length < 14) return [];
    const zoomIn = button("+");
    zoomIn.setAttribute("aria-label", "Zoom in");
    zoomIn.addEventListener("click", () => this.zoom?.(2));
    this.zoomOut = button("−");
    this.zoomOut.setAttribute("aria-label", "Show all again");
    this.zoomOut.disabled = true;
    this.zoomOut.addEventListener("click", () => this.zoom?.(0));
    return [zoomIn, this.zoomOut];
  }

  protected async draw(place: HTMLElement, { points, times, before, marks, window }: Line): Promise<Picture> {
    const { axes, grid, picture, valueAxis } = await import("./library");
    const quantity = quantityOf(this);
    const gaps = gapsBefore(
      points.map((point) => point.start),
      this.bucket,
    );
    const value = points.map((point) => shown(point.value, quantity));
    const isAlone = (n: number): boolean => {
      const joins = (a: number, b: number): boolean => value[a] != null && value[b] != null && !gaps[b];
      return !joins(n - 1, n) && !joins(n, n + 1);
    };
    const isFew = points.length < 60;
    // A line is broken by a point without a value, put where the gap begins.
    const broken = <T>(make: (n: number) => T): (T | [number, null])[] =>
      points.flatMap((_, n) => (gaps[n] ? [[(times[n - 1] ?? 0) + 1, null] as [number, null], make(n)] : [make(n)]));
    const edges = points.map((point) => {
      const [low, high] = [shown(point.min, quantity), shown(point.max, quantity)];
      return low === null || high === null ? null : [Math.min(low, high), Math.max(low, high)];
    });
    const usual = this.usual()?.map((limit) => shown(limit, quantity) ?? 0);
    const room = (side: 0 | 1) => (reach: { min: number; max: number }) => {
      const both = usual ? [Math.min(reach.min, ...usual), Math.max(reach.max, ...usual)] : [reach.min, reach.max];
      const margin = ((both[1] ?? 0) - (both[0] ?? 0)) * 0.06 || 1;
      return side ? (both[1] ?? 0) + margin : (both[0] ?? 0) >= 0 ? Math.max(0, (both[0] ?? 0) - margin) : (both[0] ?? 0) - margin;
    };
    const drawn = picture(place, {
      options: () => {
        const colour = token(this.getAttribute("kind") ?? "accent");
        const quiet = token("quiet");
        const hidden = { type: "line", symbol: "none", silent: true, lineStyle: { opacity: 0 }, stack: "band", stackStrategy: "all" };
        return {
          grid: grid(quantity.unit),
          useUTC: true,
          xAxis: {
            type: "time",
            ...axes(),
            splitLine: { show: false },
            ...(window ? { min: window.start, max: nextBucket(window.end - 1, "moment") } : {}),
            axisLabel: { color: quiet, fontSize: 12, hideOverlap: true, formatter: timeLabels((times.at(-1) ?? 0) - (times[0] ?? 0)) },
          },
          yAxis: { ...valueAxis(quantity.unit), scale: true, min: room(0), max: room(1), axisLabel: { color: quiet, fontSize: 12, showMinLabel: false, showMaxLabel: false, formatter: shortNumber } },
          series: [
            { ...hidden, data: broken((n) => [times[n], edges[n]?.[0] ?? null]) },
            { ...hidden, data: broken((n) => [times[n], edges[n] ? (edges[n][1] ?? 0) - (edges[n][0] ?? 0) : null]), areaStyle: { color: colour, opacity: 0.16 } },
            {
              type: "line",
              symbol: "none",
              silent: true,
              data: [...before].map(([time, number]) => [time, shown(number, quantity)]),
              lineStyle: { color: quiet, width: 1.5, type: "dashed" },
            },
            {
              type: "line",
              symbol: "none",
              silent: true,
              data: broken((n) => ({ value: [times[n], value[n] ?? null], symbol: isFew || isAlone(n) ? "circle" : "none" })),
              symbolSize: isFew ? 5 : 4,
              showAllSymbol: true,
              lineStyle: { color: colour, width: 2, join: "round" },
              itemStyle: { color: colour },
              ...(usual ? { markArea: { silent: true, itemStyle: { color: token("band") }, data: [[{ yAxis: usual[0] }, { yAxis: usual[1] }]] } } : {}),
              ...(marks.length
                ? { markLine: { silent: true, symbol: ["none", "triangle"], symbolSize: 7, label: { show: false }, lineStyle: { color: token("warn"), type: "dashed" }, data: marks.map(({ at }) => ({ xAxis: at })) } }
                : {}),
            },
          ],
        };
      },
      count: points.length,
      xOf: (index) => times[index] ?? 0,
      yOf: (index) => value[index] ?? null,
      ...(points.length < 14 ? {} : { whenZoomed: (isWhole) => (this.zoomOut.disabled = isWhole) }),
    });
    this.zoom = drawn.zoom;
    const keys: Record<string, number> = { "+": 2, "=": 2, "-": 0.5, "0": 0 };
    drawn.step = (key, index) => {
      const factor = keys[key];
      if (factor === undefined) return undefined;
      drawn.zoom(factor);
      return index ?? undefined;
    };
    return drawn;
  }
}

/** Labels of the axis of time for a length in ms; where days are told, so is the first of a month. */
function timeLabels(length: number): Record<string, string> {
  const day = "{d} {MMM}";
  const isLong = length > 100 * DAY_MS;
  return { year: isLong ? "{yyyy}" : day, month: isLong ? "{MMM}" : day, day, hour: "{HH}:{mm}", minute: "{HH}:{mm}", second: "{HH}:{mm}:{ss}", millisecond: "{HH}:{mm}:{ss}" };
}

/** The marks of each value's own stretch of time, by its number. */
function wordsOfMarks(marks: Mark[], times: number[], bucket: Bucket): Map<number, string> {
  const words = new Map<number, string>();
  for (const mark of marks) {
    let n = times.findLastIndex((time) => time <= mark.at);
    if (n < 0 || (bucket !== "moment" && mark.at >= nextBucket(times[n] ?? 0, bucket))) n = -1;
    if (n >= 0) words.set(n, [words.get(n), mark.words].filter(Boolean).join(", "));
  }
  return words;
}

customElements.define("hb-series", Series);
