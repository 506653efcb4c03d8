/** The small manners of every page: menus that close, dialogs that open, copy buttons, toasts, local times. */

export function keepShell(): void {
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    closeOtherMenus(target);
    const button = target.closest<HTMLElement>("[data-opens], [data-closes], [data-copies], [data-prints]");
    if (button) act(button);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
  document.addEventListener("htmx:responseError", () => toast("That did not work; see the page again in a moment.", true));
  document.addEventListener("htmx:sendError", () => toast("Hearthbeat does not answer. Is it running?", true));
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-submits-on-change]"))
    form.addEventListener("change", () => form.requestSubmit());
}

function act(button: HTMLElement): void {
  const { opens, closes, copies, prints } = button.dataset;
  if (opens) document.querySelector<HTMLDialogElement>(`dialog#${CSS.escape(opens)}`)?.showModal();
  if (closes !== undefined) button.closest("dialog")?.close();
  if (prints !== undefined) window.print();
  if (copies) void copy(copies);
}

async function copy(id: string): Promise<void> {
  const source = document.getElementById(id);
  if (!source) return;
  const text = source instanceof HTMLInputElement ? source.value : (source.textContent ?? "").trim();
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    // Browsers keep the clipboard from pages that came over plain HTTP from another computer.
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection()?.removeAllRanges();
    getSelection()?.addRange(range);
    toast("Selected; now copy it.");
  }
}

function closeOtherMenus(target: Element): void {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]"))
    if (!menu.contains(target)) menu.open = false;
}

/** Say something for a moment, also to who listens rather than looks. */
export function toast(text: string, isError = false): void {
  const place = document.getElementById("toasts");
  if (!place) return;
  const item = document.createElement("p");
  item.className = isError ? "toast bad" : "toast";
  item.textContent = text;
  place.append(item);
  setTimeout(() => item.remove(), isError ? 8000 : 4000);
}
