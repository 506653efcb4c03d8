/** The parts of the chart library we use, and what every chart of it has in common. */

import { BarChart, LineChart } from "echarts/charts";
import { DataZoomInsideComponent, GridComponent, MarkAreaComponent, MarkLineComponent } from "echarts/components";
import { type ECharts, type EChartsCoreOption, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { element, type Picture, token } from "./element";
import { nearestOf } from "./points";

use([LineChart, BarChart, GridComponent, DataZoomInsideComponent, MarkAreaComponent, MarkLineComponent, CanvasRenderer]);

/** How axes look in the theme of this moment. */
export function axes(): object {
  return {
    axisLabel: { color: token("quiet"), fontSize: 12, hideOverlap: true },
    axisLine: { lineStyle: { color: token("line") } },
    axisTick: { lineStyle: { color: token("line") } },
    splitLine: { lineStyle: { color: token("line") } },
  };
}

/** The axis of values, with its unit on top. */
export function valueAxis(unit: string): object {
  return {
    type: "value",
    ...axes(),
    axisLine: { show: false },
    axisTick: { show: false },
    splitNumber: 4,
    name: unit,
    nameGap: 10,
    nameTextStyle: { color: token("quiet"), fontSize: 12, align: "right", padding: [0, 4, 0, 0] },
  };
}

/** Room round the picture: the unit above it, half a label beside it. */
export function grid(unit: string): object {
  return { left: 4, right: 14, top: unit ? 30 : 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };
}

export interface Zoomable extends Picture {
  /** By how much to come nearer round what is pointed at; 0 shows all again. */
  zoom(factor: number): void;
}

export interface Parts {
  options: () => EChartsCoreOption;
  /** How many values can be pointed at. */
  count: number;
  /** Where the value with this number stands on the x axis (in axis units), and on the y axis. */
  xOf: (index: number) => number;
  yOf?: (index: number) => number | null;
  /** Told after each zoom whether all is shown. */
  whenZoomed?: (isWhole: boolean) => void;
}

/** Draw a chart whose options are made anew for each theme. */
export function picture(place: HTMLElement, { options, count, xOf, yOf, whenZoomed }: Parts): Zoomable {
  const canvas = element("div", "chart-canvas");
  const [ruler, dot] = [element("div", "chart-ruler"), element("div", "chart-dot")];
  ruler.hidden = dot.hidden = true;
  place.append(canvas, ruler, dot);
  const chart: ECharts = init(canvas, null, { renderer: "canvas" });
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches || count > 500;
  const shown = { start: 0, end: 100 };
  let at: number | null = null;
  const drawAll = (): void => {
    const fontFamily = getComputedStyle(place).fontFamily;
    const zoom = whenZoomed
      ? { dataZoom: [{ type: "inside", zoomOnMouseWheel: "ctrl", moveOnMouseMove: true, moveOnMouseWheel: false, preventDefaultMouseMove: false, minSpan: 0.5, ...shown }] }
      : {};
    chart.setOption({ animation: !isStill, animationDuration: 250, textStyle: { fontFamily }, ...zoom, ...options() }, { notMerge: true });
  };
  const point = (index: number | null): void => {
    at = index;
    ruler.hidden = dot.hidden = true;
    if (index === null) return;
    const y = yOf?.(index) ?? null;
    const [left, top] = chart.convertToPixel({ gridIndex: 0 }, [xOf(index), y ?? 0]) as [number, number];
    if (left < 0 || left > canvas.clientWidth) return; // zoomed away
    ruler.hidden = false;
    ruler.style.translate = `${left}px 0`;
    if (y === null) return;
    dot.hidden = false;
    dot.style.translate = `${left}px ${top}px`;
  };
  drawAll();
  const tellPoint = (index: number | null): void => {
    place.dispatchEvent(new CustomEvent("chart:point", { detail: index }));
  };
  const paper = chart.getZr();
  paper.on("mousemove", (event: { offsetX: number; offsetY: number }) => {
    const spot = [event.offsetX, event.offsetY];
    if (!count || !chart.containPixel({ gridIndex: 0 }, spot)) return tellPoint(null);
    const [x] = chart.convertFromPixel({ gridIndex: 0 }, spot) as [number, number];
    tellPoint(nearestOf(count, xOf, x));
  });
  paper.on("globalout", () => tellPoint(null));
  chart.on("datazoom", () => {
    const [now] = chart.getOption()["dataZoom"] as [{ start: number; end: number }];
    Object.assign(shown, { start: now.start, end: now.end });
    whenZoomed?.(now.end - now.start > 99.9);
    point(at);
  });
  return {
    resize: () => {
      chart.resize();
      point(at);
    },
    recolour: drawAll,
    point,
    zoom: (factor) => {
      const whole = xOf(count - 1) - xOf(0) || 1;
      const middle = at === null ? (shown.start + shown.end) / 2 : (100 * (xOf(at) - xOf(0))) / whole;
      const width = factor ? Math.min(100, Math.max(0.5, (shown.end - shown.start) / factor)) : 100;
      const start = Math.max(0, Math.min(100 - width, middle - width / 2));
      chart.dispatchAction({ type: "dataZoom", start, end: start + width });
    },
    dispose: () => {
      chart.dispose();
      for (const part of [canvas, ruler, dot]) part.remove();
    },
  };
}
