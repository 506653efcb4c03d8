/**
 * `<input data-filters="id">`: hides the elements with `data-words` in the element of that id whose words do not hold
 * what is typed, and sections that are left empty. Without a script its form asks the server for the same.
 */
export function filterLists(): void {
  for (const field of document.querySelectorAll<HTMLInputElement>("input[data-filters]")) {
    const list = document.getElementById(field.dataset.filters ?? "");
    const nothing = document.getElementById("nothing-found");
    if (!list) continue;
    const filter = (): void => {
      const wanted = field.value.trim().toLowerCase();
      let found = 0;
      for (const section of list.querySelectorAll<HTMLElement>("section")) {
        let inSection = 0;
        for (const item of section.querySelectorAll<HTMLElement>("[data-words]")) {
          item.hidden = !(item.dataset.words ?? "").includes(wanted);
          if (!item.hidden) inSection += 1;
        }
        section.hidden = inSection === 0;
        found += inSection;
      }
      if (nothing) nothing.hidden = found > 0;
    };
    field.addEventListener("input", filter);
    field.addEventListener("search", filter);
  }
}
