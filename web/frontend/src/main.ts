import htmx from "htmx.org";
import "./styles/main.css";
import { keepPlace } from "./parts/place";
import { filterLists } from "./parts/filter";
import { keepShell } from "./shell";

/** Every element of ours and the module that defines it; loaded when a page first uses it. */
const elements: Record<string, () => Promise<unknown>> = {
  "hb-bars": () => import("./charts/bars"),
  "hb-deliver": () => import("./parts/deliver"),
  "hb-ecg": () => import("./charts/ecg"),
  "hb-heatmap": () => import("./charts/heatmap"),
  "hb-night": () => import("./charts/night"),
  "hb-route": () => import("./charts/route"),
  "hb-series": () => import("./charts/series"),
};

function define(root: ParentNode): void {
  for (const [tag, load] of Object.entries(elements))
    if (!customElements.get(tag) && root.querySelector(tag)) void load();
}

htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0; // health data stays out of the browser's storage

define(document);
document.addEventListener("htmx:load", (event) => define((event.target as Element).parentElement ?? document));
keepShell();
filterLists();
keepPlace();
