// The grid: galaxies as thumbnails, any number of them, only those in view drawn.
import { html, useEffect, useRef } from "./vendor/ui.js";
import { catalogue, column, cursor, kept, selected, sort, thumbnail } from "./state.js";
import { arrived, at, need } from "./list.js";
import { useScroller } from "./scroller.js";
import { clicked, keyInList, toggle } from "./picking.js";
import { answerOf } from "./labels.js";
import { Picture } from "./thumb.js";
import { Empty } from "./empty.js";
import * as format from "./format.js";

const GAP = 8;
const CAPTION = 22;

function caption(galaxy) {
  const by = sort.value?.column;
  if (!by || by === "id_str") return galaxy.id;
  return format.cell(column(by), galaxy.values[by]);
}

function Cell({ galaxy, index, size, style }) {
  const chosen = Boolean(selected.value.has(galaxy.row));
  const current = cursor.value.row === galaxy.row;
  const label = answerOf(galaxy.row);
  const names = ["cell", chosen && "selected", current && "current"].filter(Boolean).join(" ");
  const mark = (event) => {
    event.stopPropagation();
    toggle(galaxy.row);
  };
  return html`<div
    id="cell-${index}"
    role="option"
    class=${names}
    style=${style}
    aria-selected=${chosen}
    aria-setsize=${kept.value}
    aria-posinset=${index + 1}
    aria-label=${[...new Set([galaxy.id, caption(galaxy), label?.title])].filter(Boolean).join(", ")}
    onClick=${(event) => clicked(event, index, galaxy)}
  >
    <${Picture} row=${galaxy.row} size=${size} />
    <span class="tick" aria-hidden="true" onClick=${mark}></span>
    ${label && html`<span class="badge">${label.title}</span>`}
    <span class="caption">${caption(galaxy)}</span>
  </div>`;
}

export function Grid() {
  const box = useRef(null);
  const total = kept.value ?? 0;
  const width = box.current?.clientWidth ?? 800;
  const across = Math.max(2, Math.floor((width - GAP) / (thumbnail.value + GAP)));
  const size = Math.floor((width - GAP) / across) - GAP;
  const lines = Math.ceil(total / across);
  const scroller = useScroller(box, lines, size + CAPTION + GAP);
  arrived.value;
  const from = scroller.first * across;
  const to = Math.min(total, (scroller.last + 1) * across) - 1;
  useEffect(() => need(from, to), [from, to, arrived.value]);
  const { index } = cursor.value;
  useEffect(() => {
    if (index !== null) scroller.reveal(Math.floor(index / across));
  }, [index]);

  if (kept.value === 0) return html`<${Empty} />`;
  const cells = [];
  for (let place = from; place <= to; place++) {
    const left = GAP + (place % across) * (size + GAP);
    const style = {
      width: `${size}px`,
      height: `${size + CAPTION}px`,
      transform: `translate(${left}px, ${scroller.top(Math.floor(place / across)) + GAP}px)`,
    };
    const galaxy = at(place);
    cells.push(
      galaxy
        ? html`<${Cell} key=${place} galaxy=${galaxy} index=${place} size=${size} style=${style} />`
        : html`<div key=${place} class="cell waiting" style=${style}></div>`,
    );
  }
  return html`<div
    class="grid"
    ref=${box}
    role="listbox"
    tabindex="0"
    aria-multiselectable="true"
    aria-label="Galaxies of ${catalogue.value.name}"
    aria-activedescendant=${index === null ? null : `cell-${index}`}
    onKeyDown=${(event) => keyInList(event, { across, page: scroller.page })}
  >
    <div class="tall" style=${{ height: `${scroller.height + GAP}px` }}>${cells}</div>
  </div>`;
}

export const sortTitle = () => {
  if (!sort.value) return "catalogue order";
  if (sort.value.order) return sort.value.order === "queue" ? "what is best labelled next" : "how unusual they are";
  const by = column(sort.value.column);
  return `${by ? format.titleOf(by) : sort.value.column}, ${sort.value.descending ? "highest" : "lowest"} first`;
};
