/** Tells charts when the colours change: by the system, by the person, and for paper, which is always light. */

const listeners = new Set<() => void>();
const tellAll = (): void => {
  for (const listener of listeners) listener();
};

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tellAll);
new MutationObserver(tellAll).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

let before: string | null = null;
addEventListener("beforeprint", () => {
  before = document.documentElement.getAttribute("data-theme");
  document.documentElement.setAttribute("data-theme", "light");
  tellAll(); // the observer would come after the picture is taken
});
addEventListener("afterprint", () => {
  if (before === null) document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", before);
});

export function onColours(listener: () => void): void {
  listeners.add(listener);
}

export function offColours(listener: () => void): void {
  listeners.delete(listener);
}

/** The value of a design token, as the theme of this moment has it. */
export function token(name: string): string {
  // A token may be light-dark(…), which only a real property resolves.
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  probe.hidden = true;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
