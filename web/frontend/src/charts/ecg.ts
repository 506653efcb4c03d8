import { ChartElement, element, type Picture, type Told } from "./element";
import { extent, nearestOf } from "./points";
import { line, svg, vectors } from "./svg";
import { inWords, wallClock } from "./time";
import { between, type Ecg, paperReach, type Trace, traceOf } from "./volts";

const MM = 96 / 25.4; // a CSS millimetre in CSS pixels; on paper it is a true one
const MM_PER_S = 25;
const MM_PER_MV = 10;
const STRIP_LENGTHS_S = [10, 6, 5, 3, 2];
const PRINTED_STRIP_S = 10;
const GAP_MM = 5;
const USUAL_LENGTH_S = 30;

interface Sheet {
  ecg: Ecg;
  trace: Trace | null;
}

let papers = 0;

/** The longest strip that a width in CSS pixels holds, in seconds. */
function stripLength(width: number): number {
  return STRIP_LENGTHS_S.find((length) => length * MM_PER_S * MM <= width) ?? 2;
}

/**
 * `<hb-ecg>`: an electrocardiogram on millimetre paper, 25 mm/s and 10 mm/mV at true CSS millimetres. `src` is
 * /api/v1/records/ecg/{id}. It is cut into strips, as long as the width holds (10 s down to 2 s), and printed in
 * strips of 10 s on one page of A4 or Letter in landscape, alone, with a head that says what it is.
 *
 * The arrow keys go along the trace by 20 ms, with Page Up and Page Down by 200 ms; Enter, Space or a click sets a mark
 * of the caliper, a second one measures from it, a third one begins anew.
 */
class EcgChart extends ChartElement<Sheet> {
  private sheet: { reprint(isPrinting: boolean): void } | null = null;
  private marks: number[] = [];
  private isPrinting = false;
  private readonly measured = element("p", "ecg-measured");

  override connectedCallback(): void {
    this.marks = [];
    // As high as the usual 30 s between −1 and 1.5 mV, so that little on the page moves when they come.
    const strips = USUAL_LENGTH_S / stripLength(this.clientWidth);
    this.style.setProperty("--chart-height", `${Math.round(strips * (2.5 * MM_PER_MV + GAP_MM) * MM)}px`);
    addEventListener("beforeprint", this.print);
    addEventListener("afterprint", this.unprint);
    super.connectedCallback();
  }

  override disconnectedCallback(): void {
    removeEventListener("beforeprint", this.print);
    removeEventListener("afterprint", this.unprint);
    super.disconnectedCallback();
  }

  private readonly print = (): void => this.sheet?.reprint(true);
  private readonly unprint = (): void => this.sheet?.reprint(false);

  protected override accept(answers: unknown[]): Sheet {
    const ecg = answers[0] as Ecg;
    return { ecg, trace: traceOf(ecg) };
  }

  protected tell({ ecg, trace }: Sheet): Told {
    const reach = trace && extent(trace.millivolts);
    if (!trace || !reach)
      return { summary: ecg.voltages.length ? "Its voltages came without a unit or a frequency that is known, so they cannot be drawn to scale." : "This ECG came without its voltages.", columns: [], rows: [] };
    return {
      summary: `${Math.round(trace.length)} seconds, between ${volts(reach[0])} and ${volts(reach[1])}. Enter or a click sets a mark, a second one measures.`,
      columns: ["Time", "Voltage"],
      rows: trace.seconds.map((second, n) => ({ label: `${second.toFixed(3)} s`, cells: [volts(trace.millivolts[n] ?? null)] })),
      instants: [],
    };
  }

  protected override controls(): HTMLElement[] {
    const scale = element("p", "chart-scale");
    scale.textContent = "25 mm/s · 10 mm/mV";
    this.measured.setAttribute("aria-live", "polite");
    return [this.measured, scale];
  }

  protected draw(place: HTMLElement, { ecg, trace }: Sheet): Picture {
    if (!trace) throw new Error("an ECG without voltages is told in words");
    place.classList.add("grows");
    const head = headOf(ecg);
    place.before(head);
    const [low, high] = paperReach(trace.millivolts);
    const strip = (high - low) * MM_PER_MV * MM;
    const paper = `ecg-paper-${++papers}`;
    const step = Math.max(1, nearestOf(trace.seconds.length, (n) => trace.seconds[n] ?? 0, 0.02));
    const setMark = (index: number): void => {
      this.marks = this.marks.length > 1 ? [index] : [...this.marks, index];
      this.measure(trace);
      drawn.point(index);
    };
    let at: number | null = null;
    const drawn = vectors(
      place,
      (width) => {
        const seconds = this.isPrinting ? PRINTED_STRIP_S : stripLength(width);
        const strips = Math.max(1, Math.ceil(trace.length / seconds - 0.01));
        const wide = seconds * MM_PER_S * MM;
        const pitch = strip + GAP_MM * MM;
        const placeOf = (n: number): [number, number] | null => {
          const value = trace.millivolts[n] ?? null;
          if (value === null) return null;
          const row = Math.min(strips - 1, Math.floor((trace.seconds[n] ?? 0) / seconds));
          return [((trace.seconds[n] ?? 0) - row * seconds) * MM_PER_S * MM, row * pitch + (high - value) * MM_PER_MV * MM];
        };
        const inside: Node[] = [patterns(paper)];
        for (let row = 0; row < strips; row++) {
          const y = row * pitch;
          const first = nearestOf(trace.seconds.length, (n) => trace.seconds[n] ?? 0, row * seconds);
          const last = nearestOf(trace.seconds.length, (n) => trace.seconds[n] ?? 0, (row + 1) * seconds);
          const points: ([number, number] | null)[] = [];
          for (let n = first; n <= last; n++) {
            const value = trace.millivolts[n] ?? null;
            points.push(value === null ? null : [((trace.seconds[n] ?? 0) - row * seconds) * MM_PER_S * MM, y + (high - value) * MM_PER_MV * MM]);
          }
          inside.push(
            svg("svg", { x: 0, y, width: wide, height: strip, viewBox: `0 ${y} ${wide} ${strip}`, class: "ecg-strip" },
              svg("g", { transform: `translate(0 ${y})` }, svg("rect", { width: wide, height: strip, fill: `url(#${paper}-large)` })),
              svg("path", { class: "ecg-trace", d: line(points) }),
            ),
            svg("rect", { class: "ecg-edge", x: 0, y, width: wide, height: strip }),
            svg("text", { x: 5, y: y + 14 }, `${row * seconds} s`),
          );
        }
        const cursor = svg("path", { class: "ecg-cursor" });
        const marks = svg("g", { class: "ecg-marks" });
        inside.push(marks, cursor);
        const upright = (n: number): string => {
          const [x, y] = placeOf(n) ?? [0, 0];
          const top = Math.min(strips - 1, Math.floor((trace.seconds[n] ?? 0) / seconds)) * pitch;
          return `M${x} ${top}V${top + strip}M${x - 4} ${y}h8`;
        };
        return {
          width: wide,
          height: strips * pitch - GAP_MM * MM,
          inside,
          nearest: (x, y) => {
            const row = Math.min(strips - 1, Math.max(0, Math.floor(y / pitch)));
            const second = row * seconds + x / MM / MM_PER_S;
            return x > wide || second > trace.length + 0.1 ? null : nearestOf(trace.seconds.length, (n) => trace.seconds[n] ?? 0, second);
          },
          mark: (index) => {
            at = index;
            cursor.setAttribute("d", index === null ? "" : upright(index));
            marks.replaceChildren(...this.marks.map((n) => svg("path", { d: upright(n) })));
          },
        };
      },
      (key, index) => {
        if (key === "Enter" || key === " ") {
          if (index !== null) setMark(index);
          return index ?? 0;
        }
        const move = { ArrowLeft: -step, ArrowRight: step, PageUp: -10 * step, PageDown: 10 * step }[key];
        return move === undefined ? undefined : index === null ? 0 : index + move;
      },
    );
    const click = (): void => {
      if (at !== null) setMark(at);
    };
    place.addEventListener("click", click);
    this.sheet = {
      reprint: (isPrinting) => {
        this.isPrinting = isPrinting;
        drawn.anew();
      },
    };
    return {
      ...drawn,
      dispose: () => {
        place.removeEventListener("click", click);
        head.remove();
        this.sheet = null;
        drawn.dispose();
      },
    };
  }

  private measure(trace: Trace): void {
    const [a, b] = this.marks;
    if (a === undefined) return;
    if (b === undefined) {
      this.measured.textContent = `From ${(trace.seconds[a] ?? 0).toFixed(2)} s …`;
      return;
    }
    const { ms, bpm, millivolts } = between(trace, a, b);
    this.measured.textContent = [`${Math.round(ms)} ms`, bpm === null ? "" : `${Math.round(bpm)} a minute`, millivolts === null ? "" : volts(millivolts)].filter(Boolean).join(" · ");
  }
}

function volts(value: number | null): string | null {
  return value === null ? null : `${value.toFixed(3).replace("-", "−")} mV`;
}

/** Squares of 1 mm within squares of 5 mm. */
function patterns(name: string): SVGElement {
  const square = (id: string, size: number, className: string, ...inside: Node[]): SVGElement =>
    svg("pattern", { id, width: String(size), height: String(size), patternUnits: "userSpaceOnUse" }, ...inside, svg("path", { class: className, d: `M${size} 0H0V${size}` }));
  return svg(
    "defs",
    {},
    square(`${name}-small`, MM, "ecg-small"),
    square(`${name}-large`, 5 * MM, "ecg-large", svg("rect", { width: String(5 * MM), height: String(5 * MM), fill: `url(#${name}-small)` })),
  );
}

/** What a page of paper has to say, seen only there. */
function headOf(ecg: Ecg): HTMLElement {
  const head = element("dl", "ecg-head");
  const told: [string, unknown][] = [
    ["Taken", inWords(wallClock(ecg.voltage_start ?? ecg.start), "moment") + ` ${(ecg.voltage_start ?? ecg.start).slice(0, 4)}`],
    ["Classification", ecg.content["classification"] ?? ecg.label],
    ["Average heart rate", ecg.content["average_heart_rate"] == null ? null : `${Math.round(Number(ecg.content["average_heart_rate"]))} a minute`],
    ["Lead", ecg.content["lead"] ?? null],
    ["Source", ecg.source],
    ["Scale", `25 mm/s, 10 mm/mV, ${ecg.sampling_frequency ?? "–"} Hz`],
  ];
  for (const [name, value] of told) {
    if (value == null) continue;
    const [term, words] = [element("dt"), element("dd")];
    term.textContent = name;
    words.textContent = String(value);
    const pair = element("div");
    pair.append(term, words);
    head.append(pair);
  }
  return head;
}

customElements.define("hb-ecg", EcgChart);
