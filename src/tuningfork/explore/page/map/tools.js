// What the map shows, and how one works on it.
import { html, signal } from "../vendor/ui.js";
import { catalogue, map, mapTool } from "../state.js";
import { Icon } from "../icons.js";
import * as format from "../format.js";

const free = signal(false); // two columns are chosen rather than a map of the embedding

const numbers = () => catalogue.value.columns.filter((one) => ["number", "integer"].includes(one.type));
const colourable = () => catalogue.value.columns.filter((one) => ["number", "integer"].includes(one.type) || one.values);

const Choice = ({ title, value, onChange, children }) => html`<label class="choice">
  <span>${title}</span><select value=${value ?? ""} onChange=${(event) => onChange(event.target.value || null)}>${children}</select>
</label>`;

const options = (columns) => columns.map((one) => html`<option key=${one.name} value=${one.name}>${format.titleOf(one)}</option>`);

function Axes() {
  const { maps } = catalogue.value;
  const now = map.value;
  const known = maps.findIndex((one) => one.x === now.x && one.y === now.y);
  const own = free.value || known < 0;
  const choose = (value) => {
    free.value = value === "columns";
    const first = numbers();
    if (!free.value) map.value = { ...now, x: maps[value].x, y: maps[value].y };
    else map.value = { ...now, x: first[0]?.name ?? null, y: first[1]?.name ?? null };
  };
  return html`
    ${maps.length > 0 &&
    html`<${Choice} title="Map" value=${own ? "columns" : String(known)} onChange=${choose}>
      ${maps.map((one, i) => html`<option key=${one.name} value=${String(i)}>${one.name}</option>`)}
      <option value="columns">two columns</option>
    <//>`}
    ${own &&
    html`<${Choice} title="Across" value=${now.x} onChange=${(x) => (map.value = { ...now, x })}>${options(numbers())}<//>
      <${Choice} title="Up" value=${now.y} onChange=${(y) => (map.value = { ...now, y })}>${options(numbers())}<//>`}
  `;
}

const Tool = ({ name, icon, title }) => html`<button aria-pressed=${mapTool.value === name} title=${title} onClick=${() => (mapTool.value = name)}>
  <${Icon} name=${icon} /><span>${name === "pan" ? "Move" : "Lasso"}</span>
</button>`;

export const MapTools = ({ zoom, home }) => html`<div class="view-tools">
  <${Axes} />
  <${Choice} title="Colour" value=${map.value.colour} onChange=${(colour) => (map.value = { ...map.value, colour })}>
    <option value="">one colour</option>
    ${options(colourable())}
  <//>
  <div class="segments push" role="group" aria-label="Tool">
    <${Tool} name="pan" icon="hand" title="Drag to move; with shift, to select" />
    <${Tool} name="lasso" icon="lasso" title="Drag round galaxies to select them; with ctrl, to add" />
  </div>
  <div class="zoom" role="group" aria-label="Zoom">
    <button class="icon-button" aria-label="Nearer" title="Nearer (+)" onClick=${() => zoom(1.6)}>+</button>
    <button class="icon-button" aria-label="Farther" title="Farther (-)" onClick=${() => zoom(1 / 1.6)}>−</button>
    <button class="icon-button" aria-label="Show all" title="Show all (0)" onClick=${home}><${Icon} name="whole" /></button>
  </div>
</div>`;
