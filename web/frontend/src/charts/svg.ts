/** Pictures of our own in SVG: geometry in attributes, colours in classes, so that themes and printers just work. */

import type { Picture } from "./element";

type Attributes = Record<string, string | number>;

export function svg(tag: string, attributes: Attributes = {}, ...inside: (Node | string)[]): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, typeof value === "number" ? String(round(value)) : value);
  made.append(...inside);
  return made;
}

/** Hundredths are finer than any screen, and halve the length of a path. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** A path through points; null lifts the pen. */
export function line(points: ([number, number] | null)[]): string {
  let isDown = false;
  let path = "";
  for (const point of points) {
    if (point) path += `${isDown ? "L" : "M"}${round(point[0])} ${round(point[1])}`;
    isDown = point !== null;
  }
  return path;
}

/** A picture for one size. Places are in CSS pixels from its upper left. */
export interface Drawing {
  inside: (Node | string)[];
  /** Which value is meant by a place; null for none. */
  nearest(x: number, y: number): number | null;
  mark(index: number | null): void;
  /** Its size where it has one of its own; otherwise that of its place. */
  height?: number;
  width?: number;
}

/** Keep a drawing as wide as its place: made anew for every size, pointed at by mouse, pen and finger. */
export function vectors(place: HTMLElement, make: (width: number, height: number) => Drawing, step?: Picture["step"]): Picture & { anew(): void } {
  const root = svg("svg", { "aria-hidden": "true", focusable: "false" });
  let drawing: Drawing | null = null;
  let at: number | null = null;
  let drawnAt = "";
  const redraw = (): void => {
    const width = place.clientWidth;
    if (!width) return;
    drawing = make(width, place.clientHeight);
    const height = drawing.height ?? place.clientHeight;
    if (drawing.height !== undefined) place.style.height = `${height}px`;
    drawnAt = `${place.clientWidth} ${place.clientHeight}`;
    if (drawing.width !== undefined) root.style.width = `${drawing.width}px`;
    root.setAttribute("viewBox", `0 0 ${drawing.width ?? width} ${height}`);
    root.replaceChildren(...drawing.inside);
    drawing.mark(at);
  };
  const tell = (index: number | null): void => {
    place.dispatchEvent(new CustomEvent("chart:point", { detail: index }));
  };
  const look = (event: PointerEvent): void => {
    const box = root.getBoundingClientRect();
    tell(drawing?.nearest(event.clientX - box.left, event.clientY - box.top) ?? null);
  };
  root.addEventListener("pointermove", look as EventListener);
  root.addEventListener("pointerdown", look as EventListener);
  root.addEventListener("pointerleave", () => tell(null));
  place.append(root);
  redraw();
  return {
    resize: () => {
      if (drawnAt !== `${place.clientWidth} ${place.clientHeight}`) redraw();
    },
    recolour: () => {},
    anew: redraw,
    point: (index) => {
      at = index;
      drawing?.mark(index);
    },
    ...(step ? { step } : {}),
    dispose: () => root.remove(),
  };
}
