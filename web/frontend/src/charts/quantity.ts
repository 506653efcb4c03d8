/** Numbers as a person reads them: in their unit, with the decimals the metric deserves. */

export interface Quantity {
  unit: string;
  decimals: number;
  /** shown = stored × factor + offset */
  factor: number;
  offset: number;
}

/** The words of an attribute that are separated by commas; none when it is not there. */
export function listOf(host: HTMLElement, name: string): string[] {
  const text = host.getAttribute(name);
  return text === null ? [] : text.split(",").map((word) => word.trim());
}

/**
 * Read the attributes `unit`, `decimals`, `factor`, `offset` that pages give to charts. Charts of several quantities
 * take lists separated by commas, of which `place` counts from 0; a list that is too short goes on with its last.
 */
export function quantityOf(host: HTMLElement, place?: number): Quantity {
  const word = (name: string): string | null => {
    if (place === undefined) return host.getAttribute(name);
    const words = listOf(host, name);
    return words[place] ?? words.at(-1) ?? null;
  };
  const number = (name: string, otherwise: number): number => {
    const value = Number(word(name) ?? otherwise);
    return Number.isFinite(value) ? value : otherwise;
  };
  return { unit: word("unit") ?? "", decimals: number("decimals", 0), factor: number("factor", 1), offset: number("offset", 0) };
}

export function shown(value: number | null, quantity: Quantity): number | null {
  return value === null ? null : value * quantity.factor + quantity.offset;
}

export function asText(value: number | null, quantity: Quantity): string | null {
  const number = shown(value, quantity);
  if (number === null) return null;
  const text = number.toLocaleString("en", {
    minimumFractionDigits: quantity.decimals,
    maximumFractionDigits: quantity.decimals,
  });
  return quantity.unit ? `${text} ${quantity.unit}` : text;
}

/** A number beside an axis. */
export function shortNumber(value: number): string {
  return value.toLocaleString("en", { notation: Math.abs(value) >= 100_000 ? "compact" : "standard", maximumFractionDigits: 2 });
}
