// The bar at the top: what is open, how it is shown and sorted, what is selected, what is taken away.
import { html } from "./vendor/ui.js";
import { postForBuffer, postRows } from "./api.js";
import { catalogue, clearSelection, column, dialog, filter, kept, keptSelection, selected, sheet, sort, view } from "./state.js";
import { RowSet } from "./rowset.js";
import { tried } from "./notices.js";
import { copyLink } from "./link.js";
import { dark, switchTheme } from "./screen.js";
import { Icon } from "./icons.js";
import * as format from "./format.js";

const Tabs = () => {
  const names = ["grid", "map", "table", ...(catalogue.value.has.labels ? ["label"] : [])];
  return html`<nav class="tabs" aria-label="Views">
    ${names.map(
      (name) => html`<button key=${name} aria-current=${view.value === name ? "page" : null} onClick=${() => (view.value = name)}>
        <${Icon} name=${name} /><span>${name[0].toUpperCase() + name.slice(1)}</span>
      </button>`,
    )}
  </nav>`;
};

const SORTED = [
  ["Doubt", ["ood_score", "width", "spread"]],
  ["Answers", ["fraction", "probability"]],
  ["Classes and labels", ["class", "label", "ood"]],
  ["Everything else", ["position", "other", "id", "note", "error"]],
];

export function Sort() {
  const { columns, has } = catalogue.value;
  const now = sort.value;
  const chosen = now?.order ? `order:${now.order}` : (now?.column ?? "");
  const choose = (event) => {
    const { value } = event.target;
    if (!value) sort.value = null;
    else if (value.startsWith("order:")) sort.value = { order: value.slice(6) };
    else sort.value = { column: value, descending: ["number", "integer"].includes(column(value)?.type) };
  };
  return html`<div class="sort">
    <label class="choice">
      <span>Sort</span>
      <select value=${chosen} onChange=${choose}>
        <option value="">as in the catalogue</option>
        ${has.labels && has.embedding && html`<option value="order:anomaly">how unusual they are</option>`}
        ${has.labels && has.embedding && html`<option value="order:queue">what is best labelled next</option>`}
        ${SORTED.map(([title, roles]) => {
          const members = columns.filter((one) => roles.includes(one.role));
          return (
            members.length > 0 &&
            html`<optgroup key=${title} label=${title}>
              ${members.map((one) => html`<option key=${one.name} value=${one.name}>${format.titleOf(one)}</option>`)}
            </optgroup>`
          );
        })}
      </select>
    </label>
    ${now?.column &&
    html`<button
      class="icon-button"
      aria-label=${now.descending ? "Highest first; turn round" : "Lowest first; turn round"}
      title=${now.descending ? "Highest first" : "Lowest first"}
      onClick=${() => (sort.value = { ...now, descending: !now.descending })}
    >
      <${Icon} name=${now.descending ? "down" : "up"} />
    </button>`}
  </div>`;
}

async function keepSelection() {
  await tried(async () => {
    const { selection } = await postRows("api/select", selected.value.toArray());
    keptSelection.value = selection;
  });
}

const selectKept = () =>
  tried(async () => {
    const bits = new Uint8Array(await postForBuffer("api/kept", { filter: filter.value }));
    selected.value = new RowSet(catalogue.value.rows, bits);
  });

const Selection = () => {
  const n = selected.value.size;
  return html`<div class=${n ? "selection some" : "selection"} role="group" aria-label="Selection">
    <span class=${n ? "selection-count some" : "selection-count"}>${format.count(n)} selected</span>
    ${n > 0 &&
    html`<button class="button small" title="Show only these" onClick=${keepSelection}>Show only these</button>
      <button class="icon-button" aria-label="Let the selection go" title="Let the selection go (escape)" onClick=${clearSelection}>
        <${Icon} name="close" />
      </button>`}
    ${n === 0 && kept.value > 0 && html`<button class="button small quiet" onClick=${selectKept}>Select all</button>`}
  </div>`;
};

export const Top = () => html`<header class="top">
  <button class="icon-button only-narrow" aria-label="Filters" onClick=${() => (sheet.value = "filters")}><${Icon} name="filter" /></button>
  <div class="who">
    <img src="icon.svg" alt="" width="22" height="22" />
    <h1 title=${catalogue.value.name}>${catalogue.value.name}</h1>
  </div>
  <${Tabs} />
  <div class="top-tools">
    <${Sort} />
    <${Selection} />
    <button class="button primary" aria-label="Take away" onClick=${() => (dialog.value = "take")}><${Icon} name="take" /><span>Take away</span></button>
    <button class="icon-button" aria-label="Copy a link to this view" title="Copy a link to this view" onClick=${copyLink}><${Icon} name="link" /></button>
    <button class="icon-button" aria-label=${dark.value ? "Light colours" : "Dark colours"} title="Light or dark" onClick=${switchTheme}>
      <${Icon} name=${dark.value ? "sun" : "moon"} />
    </button>
    <button class="icon-button" aria-label="Keys" title="Keys (?)" onClick=${() => (dialog.value = "keys")}><${Icon} name="keys" /></button>
  </div>
</header>`;
