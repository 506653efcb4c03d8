/** What every chart element has in common: its data from our own API, a picture, a table, a CSV file and words. */

import { csvOf } from "./csv";
import { nearestOf } from "./points";
import { offColours, onColours, token } from "./theme";

export { token };

export interface Row {
  /** What stands in the first column of the table, and is said first. */
  label: string;
  cells: (string | null)[];
}

/** One line of the legend. */
export interface Sign {
  words: string;
  /** A colour token. */
  kind: string;
  shape: "line" | "dashed" | "area" | "block";
}

export interface Told {
  /** One or two sentences that say what the picture shows. */
  summary: string;
  columns: string[];
  rows: Row[];
  legend?: Sign[];
  /** When each row was, rising, in ms since 1970; for charts that move together. */
  instants?: number[];
}

/** A chart drawn into a place, which can be thrown away. */
export interface Picture {
  resize(): void;
  recolour(): void;
  /** Show where the reader is; null for nowhere. */
  point(index: number | null): void;
  /** Take a key and return the row it leads to; undefined to leave it to the usual keys. */
  step?(key: string, index: number | null): number | undefined;
  dispose(): void;
}

const MOST_ROWS_IN_A_TABLE = 2_000;
const MOST_PAGES = 12;

/**
 * Base of all chart elements. Attributes: `src` (an address of our API), `label` (what it shows), `file` (name of the
 * CSV file, without its ending), `sync` (a name: charts of the same name point at the same instant, by an event
 * `hb:at` on the document with the details `name` and `at`, ms since 1970 or null). A subclass reads the answer
 * (`accept`, `tell`) and draws it (`draw`, which may load the chart library).
 */
export abstract class ChartElement<Data> extends HTMLElement {
  static observedAttributes = ["src"];
  protected data: Data | null = null;
  private told: Told | null = null;
  private picture: Picture | null = null;
  private frame: Frame | null = null;
  private at: number | null = null;
  private loading: AbortController | null = null;
  private readonly sizes = new ResizeObserver(() => this.picture?.resize());

  protected abstract tell(data: Data): Told;
  protected abstract draw(place: HTMLElement, data: Data): Picture | Promise<Picture>;

  /** Further things to press or choose, below the picture. */
  protected controls(_data: Data): HTMLElement[] {
    return [];
  }

  /** Which attributes besides `src` hold addresses; their answers follow those of `src`, null where one has nothing. */
  protected furtherAddresses(): string[] {
    return [];
  }

  /** Turn the answers into what `tell` and `draw` take; one answer is taken as it is. */
  protected accept(answers: unknown[]): Data {
    return answers[0] as Data;
  }

  protected addresses(name = "src"): string[] {
    return (this.getAttribute(name) ?? "").split(/\s+/).filter(Boolean);
  }

  connectedCallback(): void {
    onColours(this.recolour);
    document.addEventListener("hb:at", this.follow);
    void this.load();
  }

  disconnectedCallback(): void {
    offColours(this.recolour);
    document.removeEventListener("hb:at", this.follow);
    this.loading?.abort();
    this.sizes.disconnect();
    this.dropPicture();
  }

  attributeChangedCallback(_name: string, before: string | null): void {
    if (before !== null && this.isConnected) void this.load();
  }

  /** Draw the data there is once more, after a choice. */
  protected async redraw(): Promise<void> {
    const { data, frame, loading } = this;
    if (data === null || !frame) return;
    this.told = this.tell(data);
    this.dropPicture();
    frame.tell(this.told);
    if (this.told.rows.length === 0) return frame.say(this.told.summary || NOTHING);
    frame.place.replaceChildren();
    const picture = await this.draw(frame.place, data);
    // Taken out of the page, or loaded anew, while the library came.
    if (loading?.signal.aborted || frame !== this.frame) return picture.dispose();
    this.picture = picture;
  }

  private dropPicture(): void {
    this.picture?.dispose();
    this.picture = null;
    this.at = null;
  }

  private readonly recolour = (): void => this.picture?.recolour();

  /** Fetch what the addresses name; several are fetched together. */
  private async load(): Promise<void> {
    this.loading?.abort();
    const loading = (this.loading = new AbortController());
    this.dropPicture();
    this.data = null;
    const frame = (this.frame = new Frame(this.getAttribute("label") ?? "Chart"));
    this.replaceChildren(frame.root);
    this.setAttribute("aria-busy", "true");
    try {
      const answers = await Promise.all([
        ...this.addresses().map((address) => fetchJson(address, loading.signal)),
        // What only adds to the picture does not keep it from being seen.
        ...this.furtherAddresses().map((address) => fetchJson(address, loading.signal).catch(() => null)),
      ]);
      if (loading.signal.aborted) return;
      this.data = this.accept(answers);
      frame.addControls(this.controls(this.data));
      this.listen(frame);
      await this.redraw();
    } catch (error) {
      if (loading.signal.aborted) return;
      if (error instanceof Missing) frame.say(NOTHING);
      else frame.say(error instanceof Refused ? error.message : "This chart could not be loaded.", () => void this.load());
    } finally {
      if (!loading.signal.aborted) this.removeAttribute("aria-busy");
    }
  }

  private listen(frame: Frame): void {
    frame.asFile.addEventListener("click", () => {
      const { told } = this;
      if (told) save(`${this.getAttribute("file") ?? frame.label}.csv`, csvOf([told.columns, ...told.rows.map((row) => [row.label, ...row.cells])]));
    });
    frame.place.addEventListener("keydown", (event) => this.walk(event));
    frame.place.addEventListener("blur", () => this.goTo(null));
    frame.place.addEventListener("chart:point", (event) => this.goTo((event as CustomEvent<number | null>).detail));
    this.sizes.disconnect();
    this.sizes.observe(frame.place);
  }

  private walk(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = (this.told?.rows.length ?? 0) - 1;
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    let next = this.picture?.step?.(event.key, this.at);
    if (next === undefined) {
      if (event.key in steps) next = (this.at ?? (event.key === "ArrowLeft" ? last + 1 : -1)) + (steps[event.key] ?? 0);
      else if (event.key === "Home") next = 0;
      else if (event.key === "End") next = last;
      else return;
    }
    event.preventDefault();
    this.goTo(Math.max(0, Math.min(last, next)));
  }

  private goTo(index: number | null): void {
    if (index === this.at) return;
    this.show(index);
    const name = this.getAttribute("sync");
    if (!name) return;
    const at = index === null ? null : (this.told?.instants?.[index] ?? null);
    this.dispatchEvent(new CustomEvent("hb:at", { bubbles: true, detail: { name, at } }));
  }

  private show(index: number | null, isSaid = true): void {
    this.at = index;
    this.picture?.point(index);
    const row = index === null ? undefined : this.told?.rows[index];
    this.frame?.read(row, this.told, isSaid);
  }

  private readonly follow = (event: Event): void => {
    const { name, at } = (event as CustomEvent<{ name: string; at: number | null }>).detail;
    const instants = this.told?.instants;
    if (event.target === this || name !== this.getAttribute("sync") || !instants) return;
    const index = at === null ? -1 : nearestOf(instants.length, (n) => instants[n] ?? 0, at);
    const value = index < 0 ? null : index;
    if (value !== this.at) this.show(value, false);
  };
}

const NOTHING = "Nothing was recorded in this time.";

/** What stands round every picture. */
class Frame {
  readonly root = element("figure", "chart");
  readonly place = element("div", "chart-picture skeleton");
  readonly asFile = button("CSV");
  // Summary and readout share one place, so that nothing moves when one takes the other's.
  private readonly words = element("div", "chart-words");
  private readonly summary = element("p");
  private readonly readout = element("p");
  private readonly table = element("div", "chart-table");
  private readonly asTable = button("Table");
  private readonly legend = element("ul", "chart-legend");
  private readonly buttons = element("div", "chart-buttons");
  private told: Told | null = null;

  readonly label: string;

  constructor(label: string) {
    this.label = label;
    this.readout.setAttribute("aria-live", "polite");
    this.asTable.setAttribute("aria-pressed", "false");
    this.asTable.setAttribute("aria-label", `${label} as a table`);
    this.asFile.setAttribute("aria-label", `${label} as a CSV file`);
    this.asTable.addEventListener("click", () => this.turn());
    this.table.hidden = true;
    this.table.tabIndex = 0;
    this.table.setAttribute("role", "region");
    this.table.setAttribute("aria-label", `${label}, table`);
    const ways = element("div", "chart-buttons");
    ways.append(this.asTable, this.asFile);
    this.buttons.append(ways);
    this.words.append(this.summary, this.readout);
    this.setButtons(false);
    const foot = element("div", "chart-foot");
    foot.append(this.legend, this.buttons);
    this.root.append(this.words, this.place, this.table, foot);
  }

  /** Take new words, after which the picture is drawn anew. */
  tell(told: Told): void {
    this.told = told;
    this.place.classList.remove("skeleton", "chart-message");
    this.place.tabIndex = 0;
    this.place.setAttribute("role", "img");
    this.place.setAttribute("aria-label", `${this.label}. ${told.summary} Arrow keys read the values one by one.`);
    this.legend.replaceChildren(...(told.legend ?? []).map(signOf));
    this.table.replaceChildren();
    if (!this.table.hidden) this.table.append(...tableOf(this.label, told));
    this.setButtons(told.rows.length > 0);
    this.summary.textContent = told.rows.length ? told.summary : "";
    this.read(undefined, told, false);
  }

  addControls(controls: HTMLElement[]): void {
    this.buttons.prepend(...controls);
  }

  /** Show words where the picture would be. */
  say(message: string, again?: () => void): void {
    this.place.className = "chart-picture chart-message";
    this.place.removeAttribute("tabindex");
    this.place.removeAttribute("role");
    this.place.removeAttribute("aria-label");
    this.summary.replaceChildren();
    this.readout.replaceChildren();
    this.setButtons(false);
    const text = element("p");
    text.textContent = message;
    this.place.replaceChildren(text);
    if (!again) return;
    const retry = button("Try again");
    retry.addEventListener("click", again);
    this.place.append(retry);
  }

  read(row: Row | undefined, told: Told | null, isSaid: boolean): void {
    this.readout.setAttribute("aria-live", isSaid ? "polite" : "off");
    this.words.classList.toggle("is-reading", row !== undefined);
    if (!told || !row) return this.readout.replaceChildren();
    const label = element("b");
    label.textContent = row.label;
    const columns = told.columns.slice(1);
    const words = row.cells.flatMap((cell, n) => {
      if (cell === null && n > 0) return [];
      const value = cell ?? "nothing recorded";
      return n > 0 || columns.length > 4 ? `${columns[n] ?? ""} ${value}` : value;
    });
    this.readout.replaceChildren(label, ` ${words.join(" · ")}`);
  }

  private setButtons(areShown: boolean): void {
    this.buttons.hidden = !areShown;
  }

  private turn(): void {
    const isOpen = this.table.hidden;
    if (isOpen && this.told && !this.table.hasChildNodes()) this.table.append(...tableOf(this.label, this.told));
    this.table.hidden = !isOpen;
    this.place.hidden = isOpen;
    this.asTable.setAttribute("aria-pressed", String(isOpen));
  }
}

export function element(tag: string, className = ""): HTMLElement {
  const made = document.createElement(tag);
  if (className) made.className = className;
  return made;
}

export function button(text: string): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  return made;
}

/** A labelled choice; `choices` are pairs of value and words. */
export function chooser(label: string, choices: [string, string][], chosen: string, choose: (value: string) => void): HTMLElement {
  const around = element("label", "chart-choice");
  const select = document.createElement("select");
  for (const [value, words] of choices) select.append(new Option(words, value, false, value === chosen));
  select.addEventListener("change", () => choose(select.value));
  around.append(label, select);
  return around;
}

class Missing extends Error {}
class Refused extends Error {}

/** Fetch an answer; of a list in pages, all that a chart can reasonably show. */
async function fetchJson(address: string, signal: AbortSignal): Promise<unknown> {
  const first = (await fetchOnce(address, signal)) as { items?: unknown[]; next?: string | null } | null;
  if (!first || !Array.isArray(first.items) || address.includes("cursor=")) return first;
  for (let page = 1; first.next && page < MOST_PAGES; page++) {
    const cursor = `${address.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(first.next)}`;
    const further = (await fetchOnce(address + cursor, signal)) as { items: unknown[]; next: string | null };
    first.items.push(...further.items);
    first.next = further.next;
  }
  return first;
}

async function fetchOnce(address: string, signal: AbortSignal): Promise<unknown> {
  const answer = await fetch(address, { signal, headers: { Accept: "application/json" } });
  if (answer.ok) return answer.json();
  if (answer.status === 404) throw new Missing();
  const problem = (await answer.json().catch(() => null)) as { detail?: string } | null;
  throw new Refused(problem?.detail ?? "This chart could not be loaded.");
}

function signOf(sign: Sign): HTMLElement {
  const item = element("li", `sign ${sign.shape} tint-${sign.kind}`);
  item.textContent = sign.words;
  return item;
}

function tableOf(label: string, told: Told): HTMLElement[] {
  const table = element("table") as HTMLTableElement;
  table.createCaption().textContent = label;
  const head = table.createTHead().insertRow();
  told.columns.forEach((column, n) => {
    const cell = element("th", n ? "number" : "");
    cell.setAttribute("scope", "col");
    cell.textContent = column;
    head.append(cell);
  });
  const body = table.createTBody();
  for (const row of told.rows.slice(0, MOST_ROWS_IN_A_TABLE)) {
    const line = body.insertRow();
    const first = element("th");
    first.setAttribute("scope", "row");
    first.textContent = row.label;
    line.append(first);
    for (const cell of row.cells) {
      const place = line.insertCell();
      place.className = "number";
      place.textContent = cell ?? "–";
    }
  }
  if (told.rows.length <= MOST_ROWS_IN_A_TABLE) return [table];
  const more = element("p", "quiet");
  more.textContent = `The first ${MOST_ROWS_IN_A_TABLE.toLocaleString("en")} of ${told.rows.length.toLocaleString("en")}; the CSV file has them all.`;
  return [more, table];
}

function save(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
