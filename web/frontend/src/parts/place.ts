/** A list that grows at its top while it is read: whatever stood first on the screen stays where it was. */

interface Held {
  id: string;
  top: number;
}

export function keepPlace(): void {
  let held: Held | null = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    held = isKept(event) ? firstSeen() : null;
  });
  document.addEventListener("htmx:afterSwap", () => {
    const row = held && document.getElementById(held.id);
    if (held && row) scrollBy({ top: row.getBoundingClientRect().top - held.top, behavior: "instant" });
    held = null;
  });
}

function isKept(event: Event): boolean {
  return event.target instanceof Element && event.target.matches("[data-keeps-place]");
}

/** The first row on the screen, unless the list's beginning is to be seen: then new rows should be, too. */
function firstSeen(): Held | null {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-keeps-place] li[id]")];
  if (!rows[0] || rows[0].getBoundingClientRect().top >= 0) return null;
  const row = rows.find((each) => each.getBoundingClientRect().top >= 0);
  return row ? { id: row.id, top: row.getBoundingClientRect().top } : null;
}
