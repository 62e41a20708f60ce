// The panel of the current galaxy: picture, answers, doubt, similar ones, place on the sky, everything its row says.
import { effect, html, signal, untracked, useEffect } from "./vendor/ui.js";
import { get, post } from "./api.js";
import { catalogue, cursor, revision, selected, sheet, shown as note } from "./state.js";
import { open, step, toggle } from "./picking.js";
import { say, tried } from "./notices.js";
import { Answers } from "./labels.js";
import { LargePicture } from "./large.js";
import { Tree } from "./tree.js";
import { Sky } from "./sky.js";
import { Picture } from "./thumb.js";
import { Icon } from "./icons.js";
import { copy } from "./copy.js";
import * as format from "./format.js";

/** What /api/galaxy says of the current one; null while it is on its way. */
export const galaxy = signal(null);
const similar = signal(null);

export function followCursor() {
  let timer;
  let asked;
  effect(() => {
    const { row } = cursor.value;
    revision.value;
    clearTimeout(timer);
    asked?.abort();
    if (row === null) galaxy.value = null;
    else {
      timer = setTimeout(() => {
        asked = new AbortController();
        untracked(() => fetchGalaxy(row, asked.signal));
      }, galaxy.peek()?.row === row ? 0 : 70);
    }
  });
}

const fetchGalaxy = (row, stop) =>
  tried(async () => {
    const found = await get(`api/galaxy/${row}`, stop);
    galaxy.value = found;
    note([found]);
    if (!catalogue.value.has.embedding) return;
    if (similar.value?.of === row) return;
    const { rows } = await get(`api/similar/${row}?n=12`, stop);
    similar.value = { of: row, rows };
    note(rows);
  });

async function judge(row, up) {
  await tried(async () => {
    const { n } = await post("api/anomaly", { row, up });
    say(`${up ? "Interesting" : "Not interesting"}. ${n} judged: “how unusual” is ranked anew.`);
    revision.value += 1;
  });
}

function Head({ row, id }) {
  const chosen = Boolean(selected.value.has(row));
  return html`<header class="galaxy-head">
    <h2 title=${id}>${id}</h2>
    <button class="icon-button" aria-label="Copy the name" title="Copy the name" onClick=${() => copy(id)}><${Icon} name="copy" /></button>
    <button class="icon-button" aria-pressed=${chosen} aria-label="Selected" title="Select it (space)" onClick=${() => toggle(row)}>
      <${Icon} name=${chosen ? "check" : "square"} />
    </button>
    <button class="icon-button" aria-label="Previous galaxy" title="Previous (k)" onClick=${() => step(-1)}><${Icon} name="up" /></button>
    <button class="icon-button" aria-label="Next galaxy" title="Next (j)" onClick=${() => step(1)}><${Icon} name="down" /></button>
    <button class="icon-button only-narrow" aria-label="Close" onClick=${() => (sheet.value = null)}><${Icon} name="close" /></button>
  </header>`;
}

function Similar({ row }) {
  if (!catalogue.value.has.embedding) return null;
  const rows = similar.value?.of === row ? similar.value.rows : null;
  return html`<section>
    <h3>Similar galaxies</h3>
    <div class="similar">
      ${(rows ?? Array.from({ length: 12 }, (_, i) => ({ row: -1 - i }))).map((one) =>
        one.row < 0
          ? html`<span key=${one.row} class="similar-one waiting"></span>`
          : html`<button
              key=${one.row}
              class="similar-one"
              title=${`${one.id}: distance ${format.value(one.distance)}`}
              aria-label="Open ${one.id}"
              onClick=${() => open(one.row)}
            >
              <${Picture} row=${one.row} size=${78} view="model" stretch=${0} />
            </button>`,
      )}
    </div>
  </section>`;
}

const Columns = ({ columns }) => html`<details class="all-columns">
  <summary>All ${columns.length} columns</summary>
  <dl>
    ${columns.map(
      (one) => html`<div key=${one.name}>
        <dt title=${one.name}>${one.title || one.name}</dt>
        <dd>${format.value(one.value)}${one.unit && one.value !== null ? html` <span class="unit">${one.unit}</span>` : ""}</dd>
      </div>`,
    )}
  </dl>
</details>`;

const Judge = ({ row }) => html`<section class="judge">
  <h3>Is it interesting?</h3>
  <div class="buttons">
    <button class="button" title="Show more like it first" onClick=${() => judge(row, true)}><${Icon} name="up-thumb" /> Yes</button>
    <button class="button" title="Show fewer like it" onClick=${() => judge(row, false)}><${Icon} name="down-thumb" /> No</button>
  </div>
</section>`;

export function Galaxy() {
  const { row } = cursor.value;
  const shown = galaxy.value;
  useEffect(() => document.querySelector(".panel.galaxy")?.scrollTo({ top: 0 }), [row]);
  if (row === null || !shown) {
    return html`<div class="empty small">
      <p class="empty-title">${row === null ? "No galaxy is open." : "…"}</p>
      ${row === null && html`<p>Press one, or move with the arrow keys.</p>`}
    </div>`;
  }
  const problem = shown.error || shown.image_error;
  return html`<${Head} row=${shown.row} id=${shown.id} />
    <${LargePicture} galaxy=${shown} />
    ${problem && html`<p class="wrong">${problem}</p>`} ${shown.note && html`<p class="note">${shown.note}</p>`}
    <${Answers} row=${shown.row} />
    <${Tree} path=${shown.path} />
    ${catalogue.value.has.labels && html`<${Judge} row=${shown.row} />`}
    <${Similar} row=${shown.row} />
    <${Sky} ra=${shown.ra} dec=${shown.dec} />
    <${Columns} columns=${shown.columns} />`;
}
