import { leftWords, Pace, pauseOf, sizeWords } from "./pace";
import { toast } from "../shell";

const BEGIN = "/history/files";

/** What the server refuses for good, in its own words. */
class Refused extends Error {}
/** What may work later; only people can tell when. */
class Held extends Error {}

interface There {
  id: string;
  have: number;
  state: string;
}

/**
 * `<hb-deliver data-chunks="/…/" data-chunk="8388608">` round a file field: sends the files that are dropped or chosen,
 * one after the other, in chunks. What the server has of a file already is not sent again.
 */
class Deliver extends HTMLElement {
  private readonly waiting: Sending[] = [];
  private isBusy = false;

  connectedCallback(): void {
    const field = this.querySelector<HTMLInputElement>("input[type=file]");
    const drop = this.querySelector<HTMLElement>(".drop");
    field?.addEventListener("change", () => {
      this.take(field.files);
      field.value = ""; // so that the same file can be chosen again
    });
    // A file that misses the field must not take the place of the page.
    for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
    drop?.addEventListener("dragover", () => drop.classList.add("over"));
    for (const kind of ["dragleave", "drop"]) drop?.addEventListener(kind, () => drop.classList.remove("over"));
    drop?.addEventListener("drop", (event) => this.take(event.dataTransfer?.files ?? null));
  }

  private take(files: FileList | null): void {
    const list = this.querySelector<HTMLElement>(".arriving");
    if (!list || !files) return;
    for (const file of files) {
      const sending = new Sending(file, this.dataset.chunks ?? "", Number(this.dataset.chunk));
      sending.onWanted = () => this.queue(sending);
      list.append(sending.row);
      list.hidden = false;
      this.queue(sending);
    }
  }

  private queue(sending: Sending): void {
    this.waiting.push(sending);
    void this.sendNext();
  }

  private async sendNext(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    let last = "";
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      const url = await next.send();
      document.getElementById("imports")?.dispatchEvent(new Event("refresh"));
      last = url ?? last;
    }
    this.isBusy = false;
    // One file leads to the page of its import; of several each row has a link.
    if (last && this.querySelectorAll(".arriving > li").length === 1) location.assign(last);
  }
}

/** One file on its way, and its row in the list. */
class Sending {
  readonly row = document.createElement("li");
  onWanted = (): void => undefined;
  private readonly words = document.createElement("p");
  private readonly bar = document.createElement("progress");
  private readonly buttons = document.createElement("p");
  private readonly pace: Pace;
  private stop = new AbortController();
  private id = "";

  private readonly file: File;
  private readonly chunks: string;

  constructor(file: File, chunks: string, most: number) {
    this.file = file;
    this.chunks = chunks;
    this.pace = new Pace(most);
    const name = document.createElement("bdi");
    name.textContent = file.name;
    const title = document.createElement("p");
    title.className = "file-name";
    title.append(name);
    this.bar.className = "how-far";
    this.bar.max = Math.max(file.size, 1);
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", `How much of ${file.name} is sent`);
    this.words.className = "quiet small";
    this.words.textContent = "Waits for the file before it";
    this.buttons.className = "row";
    this.row.append(title, this.bar, this.words, this.buttons);
    this.offer(["Cancel", () => void this.cancel()]);
  }

  /** Send what is missing, and return the address of the import; null when it did not come so far. */
  async send(): Promise<string | null> {
    if (!this.row.isConnected) return null;
    this.stop = new AbortController();
    this.row.classList.remove("bad");
    this.offer(["Pause", () => this.stop.abort()], ["Cancel", () => void this.cancel()]);
    try {
      let there = await this.begin();
      while (there.state === "arriving" && there.have < this.file.size) there = await this.sendChunk(there);
      this.say("All of it is here; looking whether it is known");
      const ended = (await this.ask("POST", `${BEGIN}/${this.id}/finish`)) as { url: string; known: boolean };
      this.finish(ended.url, ended.known ? "This file was imported before." : "It is here, and is being imported.");
      return ended.url;
    } catch (error) {
      this.halt(error);
      return null;
    }
  }

  private async begin(): Promise<There> {
    const { name, size, lastModified } = this.file;
    const there = (await this.ask("POST", BEGIN, JSON.stringify({ name, size, modified: lastModified }))) as There;
    this.id = there.id;
    if (there.have && there.state === "arriving") toast(`Going on where it was, after ${sizeWords(there.have)}.`);
    this.show(there.have);
    return there;
  }

  private async sendChunk(there: There): Promise<There> {
    const chunk = await this.read(there.have, there.have + this.pace.chunk);
    const began = performance.now();
    const now = (await this.ask("PUT", `${this.chunks}${this.id}?at=${there.have}`, chunk)) as There;
    if (now.have > there.have) this.pace.sent(now.have - there.have, (performance.now() - began) / 1000);
    this.show(now.have);
    return now;
  }

  private async read(from: number, to: number): Promise<ArrayBuffer> {
    try {
      return await this.file.slice(from, to).arrayBuffer();
    } catch {
      throw new Refused("The file cannot be read any more; it was moved or changed. Choose it again.");
    }
  }

  /** Ask until there is an answer, with longer and longer pauses while the network or Hearthbeat is away. */
  private async ask(method: string, url: string, body?: string | ArrayBuffer): Promise<unknown> {
    for (let failures = 1; ; failures += 1) {
      const answer = await this.tryOnce(method, url, body);
      if (answer) return answer;
      await this.wait(pauseOf(failures));
    }
  }

  private async tryOnce(method: string, url: string, body?: string | ArrayBuffer): Promise<unknown> {
    const type = typeof body === "string" ? "application/json" : "application/octet-stream";
    let answer: Response;
    try {
      const content = body === undefined ? {} : { body, headers: { "Content-Type": type } };
      answer = await fetch(url, { method, redirect: "manual", signal: this.stop.signal, ...content });
    } catch {
      if (this.stop.signal.aborted) throw new Held("Paused.");
      return null;
    }
    if (answer.type === "opaqueredirect") throw new Held("You are logged out. Log in in another tab, then go on.");
    const told = (await answer.json().catch(() => ({}))) as { detail?: string; have?: number };
    // 409 on a chunk says where to go on.
    if (answer.ok || (answer.status === 409 && told.have !== undefined)) return told;
    const words = told.detail ?? `Hearthbeat answered ${answer.status}.`;
    if (answer.status === 507) throw new Held(words);
    if (answer.status >= 500 || answer.status === 429) return null;
    throw answer.status === 404 ? new Held("It is no longer there; going on begins anew.") : new Refused(words);
  }

  private async wait(seconds: number): Promise<void> {
    this.say(`Hearthbeat does not answer. Trying again in ${seconds} s`);
    await new Promise<void>((done, broken) => {
      const timer = setTimeout(done, seconds * 1000);
      addEventListener("online", () => done(), { once: true });
      this.stop.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        broken(new Held("Paused."));
      });
    });
  }

  private show(have: number): void {
    this.bar.value = have;
    const parts = [`${sizeWords(have)} of ${sizeWords(this.file.size)}`];
    const rate = this.pace.bytesPerS;
    if (rate) parts.push(`${sizeWords(rate)} a second`, leftWords((this.file.size - have) / rate));
    this.say(parts.join(" · "));
  }

  private say(words: string): void {
    this.words.textContent = words;
  }

  private finish(url: string, words: string): void {
    this.bar.value = this.bar.max;
    this.say(words);
    const link = document.createElement("a");
    link.href = url;
    link.className = "button";
    link.textContent = "See its import";
    this.buttons.replaceChildren(link);
    toast(words);
  }

  private halt(error: unknown): void {
    const words = error instanceof Error ? error.message : String(error);
    this.say(words);
    if (error instanceof Held) {
      this.offer(["Go on", () => this.onWanted()], ["Cancel", () => void this.cancel()]);
    } else {
      this.row.classList.add("bad");
      this.offer(["Close", () => this.row.remove()]);
    }
    if (words !== "Paused.") toast(words, true);
  }

  /** Give it up, and have what came of it removed. */
  private async cancel(): Promise<void> {
    this.row.remove();
    this.stop.abort();
    if (!this.id) return;
    await fetch(`${BEGIN}/${this.id}/remove`, { method: "POST", redirect: "manual" }).catch(() => undefined);
    document.getElementById("imports")?.dispatchEvent(new Event("refresh"));
  }

  private offer(...choices: [string, () => void][]): void {
    const hadFocus = this.buttons.contains(document.activeElement);
    const made = choices.map(([words, act]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words;
      button.setAttribute("aria-label", `${words}: ${this.file.name}`);
      button.addEventListener("click", act);
      return button;
    });
    this.buttons.replaceChildren(...made);
    if (hadFocus) made[0]?.focus();
  }
}

customElements.define("hb-deliver", Deliver);
