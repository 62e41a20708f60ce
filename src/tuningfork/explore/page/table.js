// The table: any number of rows, only those in view drawn; the first column stays in view, a press on a header sorts.
import { html, useEffect, useRef } from "./vendor/ui.js";
import { catalogue, column, cursor, dialog, kept, selected, sort, tableColumns } from "./state.js";
import { arrived, at, need } from "./list.js";
import { useScroller } from "./scroller.js";
import { clicked, keyInList, toggle } from "./picking.js";
import { Empty } from "./empty.js";
import * as format from "./format.js";

const LINE = 30;
const FIRST = 12;

/** At first: classes, doubt, then the answers of the first questions. */
export function chooseColumns() {
  const { columns } = catalogue.value;
  const ranks = { label: 0, class: 1, ood_score: 2, fraction: 3, position: 4, other: 5, note: 6, error: 7 };
  const ranked = columns.filter((one) => one.role in ranks && one.nulls < catalogue.value.rows);
  ranked.sort((a, b) => ranks[a.role] - ranks[b.role]);
  tableColumns.value = ranked.slice(0, FIRST).map((one) => one.name);
}

const numeric = (one) => one && ["number", "integer"].includes(one.type);

const kind = (one) => (numeric(one) ? "number" : one?.type === "text" ? "text" : "");

function Header({ name }) {
  const by = column(name);
  const sorted = sort.value?.column === name;
  const turn = () => (sort.value = { column: name, descending: sorted ? !sort.value.descending : numeric(by) });
  const order = sorted ? (sort.value.descending ? "descending" : "ascending") : "none";
  return html`<div role="columnheader" aria-sort=${order} class="td th ${kind(by)}" title=${by?.description || name}>
    <button class="th-button" onClick=${turn}>
      <span>${by ? format.titleOf(by) : name}</span>${sorted && html`<span aria-hidden="true">${sort.value.descending ? "↓" : "↑"}</span>`}
    </button>
  </div>`;
}

function Row({ galaxy, index, top, names }) {
  const style = { transform: `translateY(${top}px)` };
  if (!galaxy) return html`<div class="tr" role="row" aria-rowindex=${index + 2} style=${style}><div class="td first waiting"></div></div>`;
  const chosen = Boolean(selected.value.has(galaxy.row));
  const state = ["tr", chosen && "selected", cursor.value.row === galaxy.row && "current"].filter(Boolean).join(" ");
  const mark = (event) => {
    event.stopPropagation();
    toggle(galaxy.row);
  };
  return html`<div
    id="row-${index}"
    class=${state}
    role="row"
    aria-rowindex=${index + 2}
    aria-selected=${chosen}
    style=${style}
    onClick=${(event) => clicked(event, index, galaxy)}
  >
    <div class="td first" role="rowheader" title=${galaxy.id}>
      <input type="checkbox" tabindex="-1" aria-label="Select ${galaxy.id}" checked=${chosen} onClick=${mark} />
      <span>${galaxy.id}</span>
    </div>
    ${names.map((name) => {
      const text = format.cell(column(name), galaxy.values[name]);
      return html`<div key=${name} role="gridcell" class="td ${kind(column(name))}" title=${text}>${text}</div>`;
    })}
  </div>`;
}

export function Table() {
  const box = useRef(null);
  const total = kept.value ?? 0;
  const names = tableColumns.value;
  const scroller = useScroller(box, total, LINE, 6);
  arrived.value;
  const last = Math.min(scroller.last, total - 1);
  useEffect(() => need(scroller.first, last), [scroller.first, last, arrived.value]);
  const { index } = cursor.value;
  useEffect(() => {
    if (index !== null) scroller.reveal(index + (index > 0 ? 1 : 0));
  }, [index]);
  if (kept.value === 0) return html`<${Empty} />`;
  const lines = [];
  for (let place = scroller.first; place <= last; place++) {
    lines.push(html`<${Row} key=${place} galaxy=${at(place)} index=${place} top=${scroller.top(place)} names=${names} />`);
  }
  return html`<div class="table-view">
    <div class="view-tools">
      <span class="hint">${names.length} of ${catalogue.value.columns.length} columns</span>
      <button class="button small" onClick=${() => (dialog.value = "columns")}>Choose columns</button>
    </div>
    <div
      class="table"
      ref=${box}
      role="grid"
      tabindex="0"
      aria-rowcount=${total + 1}
      aria-colcount=${names.length + 1}
      aria-multiselectable="true"
      aria-label="Table of ${catalogue.value.name}"
      aria-activedescendant=${index === null ? null : `row-${index}`}
      onKeyDown=${(event) => keyInList(event, { across: 1, page: scroller.page })}
    >
      <div class="tr head" role="row" aria-rowindex="1">
        <div class="td th first" role="columnheader">Name</div>
        ${names.map((name) => html`<${Header} key=${name} name=${name} />`)}
      </div>
      <div class="tall" role="presentation" style=${{ height: `${scroller.height}px` }}>${lines}</div>
    </div>
  </div>`;
}

/** The dialog that chooses what the table shows. */
export function ChooseColumns() {
  const turn = (name, on) => {
    tableColumns.value = on ? [...tableColumns.value, name] : tableColumns.value.filter((one) => one !== name);
  };
  return html`<div class="column-choice">
    ${catalogue.value.columns
      .filter((one) => one.role !== "id")
      .map(
        (one) => html`<label class="check" key=${one.name} title=${one.description}>
          <input type="checkbox" checked=${tableColumns.value.includes(one.name)} onChange=${(event) => turn(one.name, event.target.checked)} />
          ${format.titleOf(one)}
        </label>`,
      )}
  </div>`;
}
