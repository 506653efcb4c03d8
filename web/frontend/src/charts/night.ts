import { chooser, ChartElement, type Picture, type Told } from "./element";
import { type Lanes, lanesOf, STAGE_NAMES, type Stretch, type Telling } from "./lanes";
import { extent, fullestSource, type Point, pointsOf } from "./points";
import { asText, listOf, type Quantity, quantityOf, shown } from "./quantity";
import { line, svg, vectors } from "./svg";
import { clock, gapsBefore } from "./time";

interface Track {
  name: string;
  kind: string;
  quantity: Quantity;
  source: string | null;
  points: Point[];
  times: number[];
}
interface Night {
  tellings: Telling[];
  tracks: Track[];
}

const GUTTER = 58;
const LANE = 36;
const TRACK = 64;
const FOOT = 24;

/**
 * `<hb-night>`: a night's stages along a true clock. `src` is /api/v1/sleep/{date}. What else was measured stands below
 * on the same clock: `overlay` holds addresses of samples or series separated by spaces, one track each; `names`,
 * `kinds`, `unit`, `decimals`, `factor`, `offset` are lists separated by commas with a word per track. Of several
 * devices the one with most samples is drawn, and named. Where more than one source tells the night, or it has naps,
 * there is a choice. Each stage's time and each track's average in it are read by pointer and arrow keys.
 */
class NightChart extends ChartElement<Night> {
  private telling = -1;
  private session = -1;

  override connectedCallback(): void {
    this.telling = this.session = -1;
    // Known before anything is loaded, so that nothing on the page moves later.
    this.style.setProperty("--chart-height", `${4 * LANE + FOOT + 10 + TRACK * this.addresses("overlay").length}px`);
    super.connectedCallback();
  }

  protected override furtherAddresses(): string[] {
    return this.addresses("overlay");
  }

  protected override accept([night, ...overlays]: unknown[]): Night {
    const [names, kinds] = [listOf(this, "names"), listOf(this, "kinds")];
    const tracks = overlays.map((answer, n) => {
      const { source, points } = fullestSource(answer ? pointsOf(answer).filter((point) => point.value !== null) : []);
      return { name: names[n] ?? "", kind: kinds[n] ?? "accent", quantity: quantityOf(this, n), source, points, times: points.map((point) => Date.parse(point.start)) };
    });
    return { tellings: (night as Night).tellings, tracks };
  }

  private chosen({ tellings }: Night): { telling: Telling | undefined; lanes: Lanes | null } {
    if (this.telling < 0) this.telling = Math.max(0, tellings.findIndex((telling) => telling.shown));
    const telling = tellings[this.telling];
    const sessions = telling?.sessions ?? [];
    if (this.session < 0 || this.session >= sessions.length) this.session = Math.max(0, sessions.findIndex((session) => !session.is_nap));
    const session = sessions[this.session];
    return { telling, lanes: session ? lanesOf(session) : null };
  }

  protected override controls(night: Night): HTMLElement[] {
    this.chosen(night);
    const choices: HTMLElement[] = [];
    const sessions = night.tellings.flatMap((telling, t) => telling.sessions.map((session, s) => ({ telling, session, value: `${t} ${s}` })));
    if (sessions.length > 1) {
      const several = night.tellings.length > 1;
      choices.push(
        chooser(
          "Show",
          sessions.map(({ telling, session, value }) => {
            const lanes = lanesOf(session);
            const times = lanes ? `, ${spanOf(lanes)}` : "";
            return [value, `${session.is_nap ? "Nap" : "Night"}${times}${several ? ` (${telling.source})` : ""}`];
          }),
          `${this.telling} ${this.session}`,
          (value) => {
            [this.telling, this.session] = value.split(" ").map(Number) as [number, number];
            void this.redraw();
          },
        ),
      );
    }
    return choices;
  }

  protected tell(night: Night): Told {
    const { telling, lanes } = this.chosen(night);
    if (!lanes || !telling) return { summary: "This night was told without its times.", columns: [], rows: [] };
    const minutes = new Map<string, number>();
    for (const { stage, start, end } of lanes.stretches) minutes.set(stage, (minutes.get(stage) ?? 0) + (end - start) / 60_000);
    const parts = lanes.stages.flatMap((stage) => (minutes.has(stage) ? `${STAGE_NAMES[stage]} ${inHours(minutes.get(stage) ?? 0)}` : []));
    const tracks = night.tracks.filter((track) => track.points.length);
    return {
      summary: lanes.hasStages ? `${spanOf(lanes)}: ${parts.join(", ")}.` : `${spanOf(lanes)}. ${telling.source} tells no stages along the night.`,
      columns: ["Time", "Stage", "Length", ...tracks.map(({ name, source }) => (source ? `${name}, average (${source})` : `${name}, average`))],
      rows: lanes.stretches.map((stretch) => ({
        label: `${clock(stretch.startWall)} – ${clock(stretch.endWall)}`,
        cells: [STAGE_NAMES[stretch.stage] ?? stretch.stage, inHours((stretch.end - stretch.start) / 60_000), ...tracks.map((track) => asText(averageIn(track, stretch), track.quantity))],
      })),
      instants: lanes.stretches.map((stretch) => stretch.start),
    };
  }

  protected draw(place: HTMLElement, night: Night): Picture {
    const { lanes } = this.chosen(night);
    if (!lanes) throw new Error("a night without times is told in words");
    const { start, end, stages, stretches } = lanes;
    place.classList.add("grows");
    return vectors(place, (width) => {
      const right = width - 6;
      const xOf = (at: number): number => GUTTER + ((at - start) / Math.max(1, end - start)) * (right - GUTTER);
      const yOf = (stage: string): number => 4 + stages.indexOf(stage) * LANE;
      const laneBottom = 4 + stages.length * LANE;
      const height = laneBottom + TRACK * night.tracks.length + FOOT;
      const floor = height - FOOT;
      const spot = svg("rect", { class: "night-spot", y: 0, height: floor, rx: 4 });
      const dense = (right - GUTTER) / Math.max(1, lanes.ticks.length) < 44 ? (width < 500 && lanes.ticks.length > 8 ? 3 : 2) : 1;
      const ticks = lanes.ticks.filter(({ wall }) => (wall / 3_600_000) % dense === 0);
      const inside: SVGElement[] = [spot];
      if (lanes.inBed) inside.push(svg("rect", { class: "night-bed", x: xOf(lanes.inBed[0]), y: 0, width: xOf(lanes.inBed[1]) - xOf(lanes.inBed[0]), height: laneBottom, rx: 6 }));
      let free = GUTTER - 14;
      for (const { at, wall } of ticks) {
        const x = xOf(at);
        inside.push(svg("line", { class: "rule", x1: x, x2: x, y1: 0, y2: floor }));
        if (x < free + 18 || x > right - 14) continue; // an hour that is there twice may have room for one label
        free = x + 20;
        inside.push(svg("text", { x, y: height - 7, "text-anchor": "middle" }, clock(wall)));
      }
      for (const stage of stages) inside.push(svg("text", { x: 0, y: yOf(stage) + LANE / 2 + 4 }, STAGE_NAMES[stage] ?? stage));
      for (const [n, stretch] of stretches.entries()) {
        const next = stretches[n + 1];
        if (!next || next.stage === stretch.stage || next.start - stretch.end > 60_000) continue;
        const x = xOf(next.start);
        const [a, b] = [yOf(stretch.stage), yOf(next.stage)].sort((p, q) => p - q) as [number, number];
        inside.push(svg("line", { class: "night-step", x1: x, x2: x, y1: a + LANE / 2, y2: b + LANE / 2 }));
      }
      for (const stretch of stretches) {
        const x = xOf(stretch.start);
        const wide = Math.max(1.5, xOf(stretch.end) - x);
        inside.push(svg("rect", { class: `stage-${stretch.stage}${lanes.hasStages ? "" : " is-sum"}`, x, y: yOf(stretch.stage) + 5, width: wide, height: LANE - 10, rx: Math.min(4, wide / 2) }));
      }
      night.tracks.forEach((track, n) => inside.push(...drawTrack(track, { top: laneBottom + n * TRACK, left: GUTTER, right, start, end, xOf })));
      return {
        height,
        inside,
        nearest: (x) => {
          const at = start + ((x - GUTTER) / (right - GUTTER)) * (end - start);
          const n = stretches.findIndex((stretch) => at >= stretch.start && at < stretch.end);
          return n < 0 ? null : n;
        },
        mark: (index) => {
          const stretch = index === null ? undefined : stretches[index];
          spot.setAttribute("visibility", stretch ? "visible" : "hidden");
          if (!stretch) return;
          spot.setAttribute("x", String(xOf(stretch.start)));
          spot.setAttribute("width", String(Math.max(2, xOf(stretch.end) - xOf(stretch.start))));
        },
      };
    });
  }
}

interface Room {
  top: number;
  left: number;
  right: number;
  start: number;
  end: number;
  xOf: (at: number) => number;
}

function drawTrack(track: Track, { top, left, right, start, end, xOf }: Room): SVGElement[] {
  const held = track.points.flatMap((point, n) => {
    const at = track.times[n] ?? 0;
    return at >= start && at <= end ? [{ at, value: shown(point.value, track.quantity) ?? 0, start: point.start }] : [];
  });
  const parts = [
    svg("line", { class: "rule", x1: 0, x2: right, y1: top + 2, y2: top + 2 }),
    svg("text", { x: left, y: top + 16, class: `track-name tint-${track.kind}` }, track.quantity.unit ? `${track.name}, ${track.quantity.unit}` : track.name),
  ];
  const reach = extent(held.map(({ value }) => value));
  if (!reach) return [...parts, svg("text", { x: left, y: top + 40 }, "Nothing recorded in this night")];
  const number = (value: number): string => value.toLocaleString("en", { minimumFractionDigits: track.quantity.decimals, maximumFractionDigits: track.quantity.decimals });
  const [ceiling, floor] = [top + 24, top + TRACK - 6];
  const yOf = (value: number): number => (reach[1] > reach[0] ? floor - ((value - reach[0]) / (reach[1] - reach[0])) * (floor - ceiling) : (floor + ceiling) / 2);
  const gaps = gapsBefore(
    held.map((each) => each.start),
    "moment",
  );
  const tint = `tint-${track.kind}`;
  const few = held.length < 40;
  const dots = held.filter((_, n) => few || ((n === 0 || gaps[n]) && (n + 1 === held.length || gaps[n + 1])));
  return [
    ...parts,
    svg("text", { x: 0, y: ceiling + 6 }, number(reach[1])),
    ...(reach[1] > reach[0] ? [svg("text", { x: 0, y: floor + 2 }, number(reach[0]))] : []),
    svg("path", { class: `track ${tint}`, d: line(held.flatMap(({ at, value }, n) => (gaps[n] ? [null, [xOf(at), yOf(value)] as [number, number]] : [[xOf(at), yOf(value)] as [number, number]]))) }),
    ...dots.map(({ at, value }) => svg("circle", { class: `track-dot ${tint}`, cx: xOf(at), cy: yOf(value), r: 2 })),
  ];
}

function averageIn(track: Track, { start, end }: Stretch): number | null {
  let [sum, count] = [0, 0];
  for (const [n, at] of track.times.entries()) {
    const value = track.points[n]?.value ?? null;
    if (at < start || at >= end || value === null) continue;
    sum += value;
    count++;
  }
  return count ? sum / count : null;
}

function spanOf(lanes: Lanes): string {
  const [first, last] = [lanes.stretches[0], lanes.stretches.at(-1)];
  return `${clock(first?.startWall ?? 0)} – ${clock(last?.endWall ?? 0)}`;
}

function inHours(minutes: number): string {
  // Halves go to the even minute, as Python rounds the same numbers elsewhere on the page.
  const whole = minutes % 1 === 0.5 ? 2 * Math.round(minutes / 2) : Math.round(minutes);
  return whole < 60 ? `${whole} min` : `${Math.floor(whole / 60)} h ${String(whole % 60).padStart(2, "0")} min`;
}

customElements.define("hb-night", NightChart);
