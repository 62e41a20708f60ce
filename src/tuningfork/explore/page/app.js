// The page: bar, filters, the view, the galaxy, status.
import { html } from "./vendor/ui.js";
import { server } from "./api.js";
import { catalogue, filter, kept, selected, sheet, thumbnail, view } from "./state.js";
import { Sort, Top } from "./top.js";
import { Filters } from "./filters.js";
import { Grid, sortTitle } from "./grid.js";
import { MapView } from "./map.js";
import { Table } from "./table.js";
import { Label } from "./label.js";
import { Learn } from "./learn.js";
import { Galaxy } from "./galaxy.js";
import { dropUnsent, held, labels, sendAll, unsent } from "./labels.js";
import { Dialogs } from "./dialogs.js";
import { Notices } from "./notices.js";
import { Stretch, ViewSwitch } from "./large.js";
import { Icon } from "./icons.js";
import * as format from "./format.js";

const GridView = () => html`<div class="grid-view">
  ${catalogue.value.has.images &&
  html`<div class="view-tools">
    <label class="slider"
      ><span>Size</span>
      <input type="range" min="64" max="320" step="4" value=${thumbnail.value} onInput=${(event) => (thumbnail.value = Number(event.target.value))} />
    </label>
    <${ViewSwitch} /><${Stretch} />
  </div>`}
  <${Grid} />
</div>`;

const VIEW = { grid: GridView, map: MapView, table: Table, label: Label };

const GONE = {
  gone: "The server does not answer. Nothing is lost: this page goes on as soon as it is back.",
  anew: "The server was started anew. Open the address that it printed; this page then goes on.",
};

/** Labels that the server would not take: they stay until it does, or until they are given up. */
const Held = () =>
  held.value &&
  html`<div class="banner" role="alert">
    <span>${unsent.value.length} ${unsent.value.length === 1 ? "label waits" : "labels wait"} here: ${held.value}</span>
    <button class="button small" onClick=${sendAll}>Send again</button>
    <button class="link" onClick=${dropUnsent}>Give them up</button>
  </div>`;

const Banner = () =>
  server.value !== "here" &&
  html`<div class="banner" role="alert">
    <span>${GONE[server.value]}</span>
    ${unsent.value.length > 0 && html`<span>${unsent.value.length} labels wait here.</span>`}
  </div>`;

const Status = () => html`<footer class="status">
  <span><strong>${kept.value === null ? "…" : format.count(kept.value)}</strong> of ${format.count(catalogue.value.rows)} galaxies</span>
  ${filter.value.all.length > 0 && html`<span class="wide">${filter.value.all.length} ${filter.value.all.length === 1 ? "condition" : "conditions"}</span>`}
  <span>${format.count(selected.value.size)} selected</span>
  ${labels.value.size > 0 && html`<span>${format.count(labels.value.size)} labelled</span>`}
  <span class="wide">${sortTitle()}</span>
  <span class="wide push">${catalogue.value.model ? `model ${catalogue.value.model.name}` : catalogue.value.made_by}</span>
</footer>`;

function Panel({ name, title, children }) {
  const open = sheet.value === name;
  return html`<aside class="panel ${name} ${open ? "open" : ""}" aria-label=${title}>${children}</aside>`;
}

export function App() {
  const Shown = VIEW[view.value];
  return html`<${Top} />
    <${Banner} /><${Held} />
    <div class="main">
      <${Panel} name="filters" title="Filters">
        <header class="sheet-head only-narrow">
          <h2>Filters</h2>
          <${Sort} />
          <button class="icon-button" aria-label="Close" onClick=${() => (sheet.value = null)}><${Icon} name="close" /></button>
        </header>
        <${Filters} />
      <//>
      <main class="centre" aria-label="Galaxies"><${Shown} /></main>
      <${Panel} name="galaxy" title=${view.value === "label" ? "Learning" : "Galaxy"}>
        ${view.value === "label" ? html`<${Learn} />` : html`<${Galaxy} />`}
      <//>
      ${sheet.value && html`<div class="veil" onClick=${() => (sheet.value = null)}></div>`}
    </div>
    <${Status} /><${Dialogs} /><${Notices} />`;
}
