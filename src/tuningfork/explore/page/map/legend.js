// The colour bar of a number, or the names of the classes, which filter when pressed.
import { html } from "../vendor/ui.js";
import { conditions, setCondition } from "../state.js";
import { CATEGORIES, css, viridis } from "./colours.js";
import * as format from "../format.js";

const STOPS = 16;

function Bar({ column, limits, dark }) {
  return html`<figure class="legend">
    <figcaption>${format.titleOf(column)}</figcaption>
    <svg class="colour-bar" viewBox="0 0 ${STOPS} 1" preserveAspectRatio="none" role="img" aria-label="Colour bar">
      ${Array.from({ length: STOPS }, (_, i) => html`<rect key=${i} x=${i} width="1.05" height="1" fill=${css(viridis(i / (STOPS - 1), dark))} />`)}
    </svg>
    <div class="colour-limits"><span>${format.value(limits[0])}</span><span>${format.value(limits[1])}</span></div>
  </figure>`;
}

function Classes({ column, values, dark }) {
  const colours = CATEGORIES[dark ? "dark" : "light"];
  const given = conditions.value[column.name]?.in ?? [];
  const turn = (value) => {
    const next = given.includes(value) ? given.filter((one) => one !== value) : [...given, value];
    setCondition(column.name, next.length ? { in: next } : null);
  };
  return html`<figure class="legend">
    <figcaption>${format.titleOf(column)}</figcaption>
    <ul>
      ${values.slice(0, colours.length).map(
        (value, i) => html`<li key=${String(value)}>
          <button class="legend-class" aria-pressed=${given.includes(value)} title="Show only these" onClick=${() => turn(value)}>
            <svg viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="4.5" fill=${css(colours[i])} /></svg>
            <span>${format.value(value)}</span>
          </button>
        </li>`,
      )}
      ${values.length > colours.length && html`<li class="hint">and ${values.length - colours.length} more, in grey</li>`}
    </ul>
  </figure>`;
}

export function Legend({ column, kind, limits, dark }) {
  if (!column || kind === "plain") return null;
  if (kind === "scale") return html`<${Bar} column=${column} limits=${limits} dark=${dark} />`;
  return html`<${Classes} column=${column} values=${column.values.map(([value]) => value)} dark=${dark} />`;
}
