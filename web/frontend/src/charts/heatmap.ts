import { calendarOf, type Day, usualWeek, WEEKDAYS } from "./cells";
import { ChartElement, element, type Picture, type Told } from "./element";
import { extent, type Point, pointsOf } from "./points";
import { asText, quantityOf } from "./quantity";
import { svg, vectors } from "./svg";
import { inWords, windowOf } from "./time";

/** Cells with their values, in the order of the table. */
interface Cells {
  days: Day[] | null;
  values: (number | null)[];
}

/**
 * `<hb-heatmap>`: values as depth of colour. Without `mode` the usual week of a metric from its hours: the average of
 * each hour of each weekday; `sums` (no value) when an hour without data counts as 0 on days that have any. With
 * `mode="calendar"` a cell per day in columns of weeks, from a series by days or from /api/v1/sleep (hours asleep).
 * Further attributes: `unit`, `decimals`, `factor`, `offset`, `kind`. A cell without data has an outline alone.
 */
class Heatmap extends ChartElement<Cells> {
  private get isCalendar(): boolean {
    return this.getAttribute("mode") === "calendar";
  }

  override connectedCallback(): void {
    // As high as it will be, so that nothing on the page moves when its values come.
    const window = windowOf(this.addresses()[0] ?? "");
    const width = this.clientWidth;
    const layout = !this.isCalendar ? weekLayout(width) : window && calendarLayout(calendarOf([], window), width);
    if (width && layout) this.style.setProperty("--chart-height", `${layout.height}px`);
    super.connectedCallback();
  }

  protected override accept(answers: unknown[]): Cells {
    if (!this.isCalendar) return { days: null, values: usualWeek(pointsOf(answers[0]), this.hasAttribute("sums")) };
    const days = calendarOf(nightsOrPoints(answers[0]), windowOf(this.addresses()[0] ?? ""));
    return { days, values: days.map((day) => day.value) };
  }

  private nameOf({ days }: Cells, n: number): string {
    return days ? inWords(days[n]?.wall ?? 0, "day") : `${WEEKDAYS[Math.floor(n / 24)]} ${String(n % 24).padStart(2, "0")}:00`;
  }

  protected tell(cells: Cells): Told {
    const quantity = quantityOf(this);
    const text = (value: number | null): string | null => asText(value, quantity);
    const reach = extent(cells.values);
    if (!reach) return { summary: "", columns: [], rows: [] };
    const top = this.nameOf(cells, cells.values.indexOf(reach[1]));
    const missing = cells.values.filter((value) => value === null).length;
    return {
      summary: cells.days
        ? `${cells.values.length - missing} of ${cells.values.length} days have data, from ${text(reach[0])} to ${text(reach[1])} on ${top}.`
        : `The usual week by hour, from ${text(reach[0])} to ${text(reach[1])} on ${top}.`,
      columns: [cells.days ? "Day" : "Hour", cells.days ? "Value" : "Average"],
      rows: cells.values.map((value, n) => ({ label: this.nameOf(cells, n), cells: [text(value)] })),
    };
  }

  protected override controls({ values }: Cells): HTMLElement[] {
    const reach = extent(values);
    if (!reach) return [];
    const quantity = quantityOf(this);
    const scale = element("p", "chart-scale");
    const steps = svg("svg", { viewBox: "0 0 70 12", class: `tint-${this.kind}`, "aria-hidden": "true" });
    for (let n = 0; n < 5; n++) steps.append(svg("rect", { x: n * 14, y: 0, width: 12, height: 12, rx: 3, fill: "currentColor", "fill-opacity": depth(n / 4) }));
    scale.append(asText(reach[0], quantity) ?? "", steps, asText(reach[1], quantity) ?? "");
    return [scale];
  }

  private get kind(): string {
    return this.getAttribute("kind") ?? "accent";
  }

  protected draw(place: HTMLElement, cells: Cells): Picture {
    place.classList.add("grows");
    const reach = extent(cells.values) ?? [0, 0];
    const depthOf = (value: number): number => depth(reach[1] > reach[0] ? (value - reach[0]) / (reach[1] - reach[0]) : 1);
    const last = cells.values.length - 1;
    const [across, along] = cells.days ? [7, 1] : [1, 24];
    const moves: Record<string, number> = { ArrowLeft: -across, ArrowRight: across, ArrowUp: -along, ArrowDown: along };
    return vectors(
      place,
      (width) => {
        const layout = cells.days ? calendarLayout(cells.days, width) : weekLayout(width);
        const { wide, high, placeOf } = layout;
        const box = (n: number, pad: number): Record<string, number> => {
          const [x, y] = placeOf(n);
          return { x: x + pad, y: y + pad, width: Math.max(1, wide - 2 * pad), height: Math.max(1, high - 2 * pad), rx: Math.min(4, wide / 4) };
        };
        const frame = svg("rect", { class: "cell-frame" });
        return {
          height: layout.height,
          inside: [
            ...layout.labels,
            ...cells.values.map((value, n) =>
              value === null
                ? svg("rect", { ...box(n, 1.5), class: "cell-missing" })
                : svg("rect", { ...box(n, 1), class: `tint-${this.kind}`, fill: "currentColor", "fill-opacity": depthOf(value) }),
            ),
            frame,
          ],
          nearest: (x, y) => {
            const n = layout.at(x, y);
            return n !== null && n <= last ? n : null;
          },
          mark: (n) => {
            frame.setAttribute("visibility", n === null ? "hidden" : "visible");
            if (n !== null) for (const [name, number] of Object.entries(box(n, 0))) frame.setAttribute(name, String(number));
          },
        };
      },
      (key, index) => {
        const move = moves[key];
        if (move === undefined) return undefined;
        if (index === null) return cells.days ? last : 0;
        const next = index + move;
        return next < 0 || next > last ? index : next;
      },
    );
  }
}

/** How deep the colour is for a share of the whole; even the least is seen. */
function depth(share: number): number {
  return 0.12 + 0.88 * share;
}

function nightsOrPoints(answer: unknown): Point[] {
  const nights = (answer as { items?: { date?: string; hours?: { total: number | null } }[] }).items;
  if (!Array.isArray(nights) || !nights[0]?.date) return pointsOf(answer);
  return nights.map(({ date, hours }) => ({ start: date ?? "", value: hours?.total ?? null, min: null, max: null, count: null, source: null }));
}

interface Layout {
  wide: number;
  high: number;
  height: number;
  labels: SVGElement[];
  placeOf: (n: number) => [number, number];
  at: (x: number, y: number) => number | null;
}

const GUTTER = 40;
const HEAD = 20;

function weekLayout(width: number): Layout {
  const wide = (width - GUTTER) / 24;
  const high = Math.min(34, Math.max(22, wide));
  const every = wide < 18 ? 6 : 3;
  return {
    wide,
    high,
    height: HEAD + 7 * high,
    labels: [
      ...WEEKDAYS.map((day, n) => svg("text", { x: 0, y: HEAD + (n + 0.5) * high + 4 }, day)),
      ...Array.from({ length: 24 / every }, (_, n) => svg("text", { x: GUTTER + n * every * wide, y: 12 }, `${String(n * every).padStart(2, "0")}:00`)),
    ],
    placeOf: (n) => [GUTTER + (n % 24) * wide, HEAD + Math.floor(n / 24) * high],
    at: (x, y) => (x < GUTTER || y < HEAD || x >= width ? null : Math.floor((y - HEAD) / high) * 24 + Math.floor((x - GUTTER) / wide)),
  };
}

/** Weeks go on in a further band where the width does not hold them all. */
function calendarLayout(days: Day[], width: number): Layout {
  const weeks = (days.at(-1)?.week ?? 0) + 1;
  const most = Math.max(1, Math.floor((width - GUTTER) / 13));
  const bands = Math.ceil(weeks / most);
  const perBand = Math.ceil(weeks / bands);
  const size = Math.min(30, (width - GUTTER) / perBand);
  const bandHeight = HEAD + 7 * size + 8;
  const placeOf = (n: number): [number, number] => {
    const { week, weekday } = days[n] ?? { week: 0, weekday: 0 };
    return [GUTTER + (week % perBand) * size, Math.floor(week / perBand) * bandHeight + HEAD + weekday * size];
  };
  const first = days[0]?.weekday ?? 0;
  const labels: SVGElement[] = [];
  for (let band = 0; band < bands; band++)
    for (const weekday of size < 16 ? [0, 3, 6] : [0, 2, 4, 6]) labels.push(svg("text", { x: 0, y: band * bandHeight + HEAD + (weekday + 0.5) * size + 4 }, WEEKDAYS[weekday] ?? ""));
  let free = -Infinity;
  let lastBand = -1;
  for (const [n, day] of days.entries()) {
    const date = new Date(day.wall);
    if (n > 0 && date.getUTCDate() !== 1) continue;
    const [x] = placeOf(n);
    const band = Math.floor(day.week / perBand);
    if (band === lastBand && x < free) continue;
    const words = date.toLocaleDateString("en-GB", { month: "short", ...(days.length > 60 && (n === 0 || date.getUTCMonth() === 0) ? { year: "numeric" } : {}), timeZone: "UTC" });
    labels.push(svg("text", { x: Math.min(x, width - 8 * words.length), y: band * bandHeight + 12 }, words));
    free = x + 8 * words.length;
    lastBand = band;
  }
  return {
    wide: size,
    high: size,
    height: bands * bandHeight - 8,
    labels,
    placeOf,
    at: (x, y) => {
      const band = Math.floor(y / bandHeight);
      const weekday = Math.floor((y - band * bandHeight - HEAD) / size);
      const week = Math.floor((x - GUTTER) / size);
      if (weekday < 0 || weekday > 6 || week < 0 || week >= perBand) return null;
      const n = (band * perBand + week) * 7 + weekday - first;
      return n < 0 ? null : n;
    },
  };
}

customElements.define("hb-heatmap", Heatmap);
