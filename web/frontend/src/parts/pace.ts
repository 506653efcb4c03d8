/** How fast something goes, in numbers and in words; nothing here knows of a page. */

const FIRST_CHUNK = 1 << 20;
const LEAST_CHUNK = 256 << 10;
const LONGEST_PAUSE_S = 30;

/** Bytes as people say them, in powers of 1,000 as disks are sold; as the server's pages write them. */
export function sizeWords(bytes: number): string {
  const words = ["bytes", "kB", "MB", "GB", "TB"];
  let amount = bytes;
  let place = 0;
  while (amount >= 1000 && place < words.length - 1) {
    amount /= 1000;
    place += 1;
  }
  const decimals = place === 0 || amount >= 100 ? 0 : 1;
  const text = amount.toLocaleString("en-GB", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return `${text} ${words[place]}`;
}

/** How long something will still take, no more exactly than can be known. */
export function leftWords(seconds: number): string {
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} seconds left`;
  if (seconds < 90 * 60) return `about ${Math.round(seconds / 60)} minutes left`;
  return `about ${Math.round(seconds / 3600)} hours left`;
}

/** How long to wait before the next attempt, after so many that failed. */
export function pauseOf(failures: number): number {
  return Math.min(2 ** Math.max(failures - 1, 0), LONGEST_PAUSE_S);
}

/** The rate of late, and chunks of a size that takes about a second: progress is seen, and little is sent twice. */
export class Pace {
  bytesPerS = 0;
  private readonly most: number;

  constructor(most: number) {
    this.most = most;
  }

  get chunk(): number {
    if (!this.bytesPerS) return Math.min(FIRST_CHUNK, this.most);
    return Math.min(Math.max(Math.round(this.bytesPerS), LEAST_CHUNK), this.most);
  }

  sent(bytes: number, seconds: number): void {
    const now = bytes / Math.max(seconds, 0.001);
    this.bytesPerS = this.bytesPerS ? 0.7 * this.bytesPerS + 0.3 * now : now;
  }
}
