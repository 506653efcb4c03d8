/** RFC 4180; a cell that a spreadsheet would take for a formula is kept from being one. */
export function csvOf(lines: (string | null)[][]): string {
  const cell = (text: string | null): string => {
    const safe = text && /^[=+@\t\r]|^-(?![\d.])/.test(text) ? `'${text}` : (text ?? "");
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}
