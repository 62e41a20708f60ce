// Said where nothing is left to show, with the way out.
import { html } from "./vendor/ui.js";
import { catalogue, clearFilter, filter } from "./state.js";
import { trouble } from "./list.js";

function said() {
  if (trouble.value) return ["The galaxies can't be listed.", trouble.value];
  if (!catalogue.value.rows) return ["This catalogue has no rows.", ""];
  return ["No galaxy fits this filter.", "Widen a range, take a condition away, or begin again."];
}

export function Empty() {
  const [title, more] = said();
  return html`<div class="empty">
    <p class="empty-title">${title}</p>
    ${more && html`<p>${more}</p>`}
    ${filter.value.all.length > 0 && html`<button class="button" onClick=${clearFilter}>Clear the filter</button>`}
  </div>`;
}
