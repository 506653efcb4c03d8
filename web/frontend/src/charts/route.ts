import { chooser, ChartElement, element, type Picture, type Told } from "./element";
import { classOf, flat, gone, limits, type Place, roundLength, speeds } from "./ground";
import { extent } from "./points";
import { line, svg, vectors } from "./svg";
import { inWords, wallClock } from "./time";

interface Feature {
  geometry: { type: "LineString"; coordinates: number[][] } | { type: "Point"; coordinates: number[] };
  properties: { coordinateProperties: { times: string[]; heart_rate?: (number | null)[] } };
}
interface Way {
  places: Place[];
  sheet: [number, number][];
  times: string[];
  instants: number[];
  gone: number[];
  /** m/s */
  speed: (number | null)[];
  /** 1/min */
  heartRate: (number | null)[];
  /** m */
  height: (number | null)[];
}
type Colouring = "pace" | "speed" | "heart_rate" | "height";

const CLASSES = 5;
const MARGIN = 22;
const FOOT_M = 0.3048;
const MILE_M = 1609.344;

/**
 * `<hb-route>`: a workout's way as lines, without any map. `src` is /api/v1/workouts/{id}/route (GeoJSON). Further
 * attributes: `colour-by` (pace | speed | heart_rate | height; the person may choose another), `unit` (km | mi),
 * `sync`: see `ChartElement`. Five equally long shares of the way are told apart by the lightness of
 * their colour.
 *
 * Drawn by ourselves in SVG and not by the chart library, which cannot keep a metre east as long as a metre north.
 */
class Route extends ChartElement<Way> {
  private by: Colouring | null = null;
  private readonly scale = element("p", "chart-scale");

  private get isMiles(): boolean {
    return this.getAttribute("unit") === "mi";
  }

  protected override accept(answers: unknown[]): Way {
    const { geometry, properties } = answers[0] as Feature;
    const coordinates = geometry.type === "Point" ? [geometry.coordinates] : geometry.coordinates;
    const { times, heart_rate: heartRate = [] } = properties.coordinateProperties;
    const places = coordinates.map(([east, north]): Place => [east ?? 0, north ?? 0]);
    const instants = times.map((time) => Date.parse(time));
    const distances = gone(places);
    return {
      places,
      sheet: flat(places),
      times,
      instants,
      gone: distances,
      speed: speeds(distances, instants),
      heartRate: places.map((_, n) => heartRate[n] ?? null),
      height: coordinates.map((place) => place[2] ?? null),
    };
  }

  private valuesOf(way: Way, by: Colouring): (number | null)[] {
    return by === "heart_rate" ? way.heartRate : by === "height" ? way.height : way.speed;
  }

  private colouring(way: Way): Colouring {
    const wanted = this.by ?? ((this.getAttribute("colour-by") ?? "pace") as Colouring);
    return this.choices(way).some(([name]) => name === wanted) ? wanted : "pace";
  }

  private choices(way: Way): [Colouring, string][] {
    const all: [Colouring, string][] = [
      this.getAttribute("colour-by") === "speed" ? ["speed", "Speed"] : ["pace", "Pace"],
      ["heart_rate", "Heart rate"],
      ["height", "Height"],
    ];
    return all.filter(([name]) => this.valuesOf(way, name).some((value) => value !== null));
  }

  private inWords(value: number | null, by: Colouring): string | null {
    if (value === null) return null;
    const metre = this.isMiles ? MILE_M : 1000;
    const unit = this.isMiles ? "mi" : "km";
    if (by === "heart_rate") return `${Math.round(value)} bpm`;
    if (by === "height") return this.isMiles ? `${Math.round(value / FOOT_M)} ft` : `${Math.round(value)} m`;
    if (by === "speed") return `${((value * 3600) / metre).toFixed(1)} ${this.isMiles ? "mph" : "km/h"}`;
    const seconds = Math.round(metre / value);
    if (value < 0.3) return "standing"; // slower than 55 min a kilometre, which no watch tells from standing
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} /${unit}`;
  }

  private distance(value: number): string {
    return this.isMiles ? `${(value / MILE_M).toFixed(2)} mi` : `${(value / 1000).toFixed(2)} km`;
  }

  protected tell(way: Way): Told {
    const [pace, paceName]: [Colouring, string] = this.getAttribute("colour-by") === "speed" ? ["speed", "Speed"] : ["pace", "Pace"];
    const heights = extent(way.height);
    const high = heights ? `, between ${this.inWords(heights[0], "height")} and ${this.inWords(heights[1], "height")} high` : "";
    const has = { rate: way.heartRate.some((rate) => rate !== null), height: heights !== null };
    if (way.places.length < 2) return { summary: "Only a single place of this way was recorded.", columns: [], rows: [] };
    return {
      summary: `The way, ${this.distance(way.gone.at(-1) ?? 0)} between its points${high}. North is up.`,
      columns: ["Time", "Distance", paceName, ...(has.rate ? ["Heart rate"] : []), ...(has.height ? ["Height"] : []), "Latitude", "Longitude"],
      rows: way.places.map(([east, north], n) => ({
        label: inWords(wallClock(way.times[n] ?? ""), "moment"),
        cells: [
          this.distance(way.gone[n] ?? 0),
          this.inWords(way.speed[n] ?? null, pace),
          ...(has.rate ? [this.inWords(way.heartRate[n] ?? null, "heart_rate")] : []),
          ...(has.height ? [this.inWords(way.height[n] ?? null, "height")] : []),
          north.toFixed(6),
          east.toFixed(6),
        ],
      })),
      instants: way.instants,
    };
  }

  protected override controls(way: Way): HTMLElement[] {
    const choices = this.choices(way);
    const parts: HTMLElement[] = [this.scale];
    if (choices.length > 1)
      parts.push(
        chooser("Colour by", choices, this.colouring(way), (value) => {
          this.by = value as Colouring;
          void this.redraw();
        }),
      );
    return parts;
  }

  private showScale(by: Colouring, values: (number | null)[], between: number[]): void {
    const reach = extent(values);
    if (!reach) return this.scale.replaceChildren();
    const steps = svg("svg", { viewBox: `0 0 ${(between.length + 1) * 18} 12`, "aria-hidden": "true" });
    for (let n = 0; n <= between.length; n++) steps.append(svg("rect", { class: `ramp-${this.step(n, between)}`, x: n * 18, y: 0, width: 16, height: 12, rx: 3 }));
    const [least, most] = { pace: ["slow", "fast"], speed: ["slow", "fast"], heart_rate: ["low", "high"], height: ["low", "high"] }[by] as [string, string];
    // Of a pace the outer limits say more than one lost satellite.
    const [low, high] = by === "pace" || by === "speed" ? [between[0] ?? reach[0], between.at(-1) ?? reach[1]] : reach;
    this.scale.replaceChildren(`${least}, ${this.inWords(low, by)}`, steps, `${this.inWords(high, by)}, ${most}`);
  }

  private step(n: number, between: number[]): number {
    return between.length ? Math.round((n * (CLASSES - 1)) / between.length) : CLASSES - 1;
  }

  protected draw(place: HTMLElement, way: Way): Picture {
    const by = this.colouring(way);
    const values = this.valuesOf(way, by);
    const between = limits(values, CLASSES);
    this.showScale(by, values, between);
    return vectors(place, (width, height) => {
      const [eastReach, northReach] = [extent(way.sheet.map(([east]) => east)), extent(way.sheet.map(([, north]) => north))];
      const wide = (eastReach?.[1] ?? 0) - (eastReach?.[0] ?? 0);
      const high = (northReach?.[1] ?? 0) - (northReach?.[0] ?? 0);
      // One scale for both directions; a way that never left its place is drawn as if it were 20 m.
      const perMetre = Math.min((width - 2 * MARGIN) / Math.max(20, wide), (height - 2 * MARGIN - 14) / Math.max(20, high));
      const spots = way.sheet.map(([east, north]): [number, number] => [width / 2 + east * perMetre, (height - 14) / 2 - north * perMetre]);
      const paths = new Map<string, ([number, number] | null)[]>();
      let before = "";
      for (let n = 1; n < spots.length; n++) {
        const [a, b] = [spots[n - 1], spots[n]];
        if (!a || !b) continue;
        const value = values[n] ?? null;
        const name = value === null ? "ramp-none" : `ramp-${this.step(classOf(value, between), between)}`;
        const path = paths.get(name) ?? [];
        if (name !== before) path.push(null, a);
        path.push(b);
        paths.set(name, path);
        before = name;
      }
      const nowhere: [number, number] = [0, 0];
      const [first, last] = [spots[0] ?? nowhere, spots.at(-1) ?? nowhere];
      const here = svg("circle", { class: "route-here", r: 7 });
      const bar = this.scaleBar(perMetre, width, height);
      return {
        inside: [
          svg("path", { class: "route-under", d: line(spots) }),
          ...[...paths].map(([name, points]) => svg("path", { class: `route-line ${name}`, d: line(points) })),
          svg("rect", { class: "route-finish", x: last[0] - 6, y: last[1] - 6, width: 12, height: 12, rx: 2 }),
          svg("circle", { class: "route-start", cx: first[0], cy: first[1], r: 7 }),
          ...endWords(first, last, width),
          ...bar,
          here,
        ],
        nearest: (x, y) => {
          let [best, least] = [-1, 40 * 40]; // farther away than a thumb is wide nobody means the line
          spots.forEach((spot, n) => {
            const far = (spot[0] - x) ** 2 + (spot[1] - y) ** 2;
            if (far < least) [best, least] = [n, far];
          });
          return best < 0 ? null : best;
        },
        mark: (index) => {
          const spot = index === null ? undefined : spots[index];
          here.setAttribute("visibility", spot ? "visible" : "hidden");
          if (!spot) return;
          here.setAttribute("cx", String(spot[0]));
          here.setAttribute("cy", String(spot[1]));
        },
      };
    });
  }

  private scaleBar(perMetre: number, width: number, height: number): SVGElement[] {
    const unit = this.isMiles ? (120 / perMetre >= MILE_M ? MILE_M : FOOT_M) : 1;
    const long = roundLength(Math.min(140, width / 3) / perMetre / unit);
    const words = this.isMiles ? `${long} ${unit === MILE_M ? "mi" : "ft"}` : long >= 1000 ? `${long / 1000} km` : `${long} m`;
    const pixels = long * unit * perMetre;
    const y = height - 5;
    return [svg("path", { class: "route-scale", d: `M4 ${y - 5}V${y}H${4 + pixels}V${y - 5}` }), svg("text", { x: 10 + pixels, y }, words)];
  }
}

function endWords(first: [number, number], last: [number, number], width: number): SVGElement[] {
  const at = ([x, y]: [number, number], words: string): SVGElement =>
    svg("text", { class: "route-words", x: x > width - 70 ? x - 12 : x + 12, y: y + 4, "text-anchor": x > width - 70 ? "end" : "start" }, words);
  const areTogether = Math.hypot(first[0] - last[0], first[1] - last[1]) < 24;
  return areTogether ? [at(first, "Start and finish")] : [at(first, "Start"), at(last, "Finish")];
}

customElements.define("hb-route", Route);
