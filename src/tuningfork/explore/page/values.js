// The filter of a text column: a list of its values with their counts, or words that it contains.
import { html, useState } from "./vendor/ui.js";
import { catalogue, conditions, setCondition } from "./state.js";
import * as format from "./format.js";

const FEW = 8;

export function ValueList({ column, counts }) {
  const [all, setAll] = useState(false);
  const given = conditions.value[column.name]?.in ?? [];
  const most = Math.max(...counts.all, 1);
  const toggle = (value) => {
    const next = given.includes(value) ? given.filter((one) => one !== value) : [...given, value];
    setCondition(column.name, next.length ? { in: next } : null);
  };
  const shown = all ? counts.values : counts.values.slice(0, FEW);
  return html`<div class="values" role="group" aria-label="Values of ${format.titleOf(column)}">
    ${shown.map(
      (value, i) => html`<label key=${String(value)} class="value">
        <input type="checkbox" checked=${given.includes(value)} onChange=${() => toggle(value)} />
        <span class="value-name" title=${format.value(value)}>${format.value(value)}</span>
        <span class="value-count">${format.count(counts.kept[i])}</span>
        <svg class="value-bar" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true">
          <rect class="bar-all" width=${(100 * counts.all[i]) / most} height="3" />
          <rect class="bar-kept" width=${(100 * counts.kept[i]) / most} height="3" />
        </svg>
      </label>`,
    )}
    ${counts.values.length > FEW &&
    html`<button class="link" onClick=${() => setAll(!all)}>
      ${all ? "Show fewer" : `Show all ${format.count(counts.values.length)}`}
    </button>`}
  </div>`;
}

export function Contains({ column }) {
  const given = conditions.value[column.name];
  let timer;
  const typed = (event) => {
    const text = event.target.value;
    clearTimeout(timer);
    timer = setTimeout(() => setCondition(column.name, text ? { contains: text } : null), 250);
  };
  return html`<div class="contains">
    <input
      type="search"
      class="field"
      placeholder="contains …"
      aria-label="${format.titleOf(column)} contains"
      value=${given?.contains ?? ""}
      onInput=${typed}
      disabled=${"null" in (given ?? {})}
    />
    ${column.nulls > 0 &&
    html`<label class="check">
      <input
        type="checkbox"
        checked=${given?.null === false}
        onChange=${(event) => setCondition(column.name, event.target.checked ? { null: false } : null)}
      />
      only where it says something (${format.count(catalogue.value.rows - column.nulls)})
    </label>`}
  </div>`;
}
