// Said where nothing is left to show, with the way out.
import { html } from "./vendor/ui.js";
import { catalogue, clearFilter } from "./state.js";

export const Empty = () => html`<div class="empty">
  <p class="empty-title">${catalogue.value.rows ? "No galaxy fits this filter." : "This catalogue has no rows."}</p>
  ${catalogue.value.rows > 0 &&
  html`<p>Widen a range, take a condition away, or begin again.</p>
    <button class="button" onClick=${clearFilter}>Clear the filter</button>`}
</div>`;
