// Moving the cursor through the list and selecting: the same with pointer and keys, in the grid and in the table.
import { batch } from "./vendor/ui.js";
import { arrive, at, need, placeOf, total } from "./list.js";
import { clearSelection, cursor, select, selected, sheet } from "./state.js";
import { narrow } from "./screen.js";

let anchor = null; // where a range with shift begins

export function moveTo(index, { extend = false } = {}) {
  const place = Math.min(Math.max(index, 0), total() - 1);
  if (place < 0) return;
  const galaxy = at(place);
  if (!galaxy) {
    arrive(place).then((found) => found && moveTo(place, { extend }));
    return;
  }
  batch(() => {
    if (extend) selectRange(anchor ?? cursor.value.index ?? place, place);
    else anchor = place;
    cursor.value = { row: galaxy.row, index: place };
  });
}

/** One galaxy on or back, from wherever the cursor is. */
export function step(by, options) {
  const { row, index } = cursor.value;
  moveTo((index ?? placeOf(row) ?? -1) + by, options);
}

async function selectRange(from, to) {
  const [first, last] = from < to ? [from, to] : [to, from];
  need(first, last);
  const rows = [];
  for (let place = first; place <= last; place++) rows.push((at(place) ?? (await arrive(place)))?.row);
  select(rows.filter((row) => row !== undefined), { add: true });
}

export const toggle = (row) => select([row], selected.value.has(row) ? { remove: true } : { add: true });

/** A click on a galaxy: alone it opens; with shift a range is selected, with ctrl (or command) one more. */
export function clicked(event, index, galaxy) {
  if (event.shiftKey) {
    moveTo(index, { extend: true });
  } else {
    if (event.ctrlKey || event.metaKey) toggle(galaxy.row);
    moveTo(index);
    if (narrow.value && !event.ctrlKey && !event.metaKey) sheet.value = "galaxy";
  }
}

/** Opens a galaxy by its row, wherever it lies in the list. */
export function open(row) {
  cursor.value = { row, index: placeOf(row) };
  if (narrow.value) sheet.value = "galaxy";
}

export function keyInList(event, { across, page }) {
  const steps = {
    ArrowRight: across > 1 ? 1 : 0,
    ArrowLeft: across > 1 ? -1 : 0,
    ArrowDown: across,
    ArrowUp: -across,
    PageDown: across * page,
    PageUp: -across * page,
  };
  if (steps[event.key]) step(steps[event.key], { extend: event.shiftKey });
  else if (event.key === "Home") moveTo(0, { extend: event.shiftKey });
  else if (event.key === "End") moveTo(total() - 1);
  else if (event.key === " " && cursor.value.row !== null) toggle(cursor.value.row);
  else if (event.key === "Enter" && cursor.value.row !== null) sheet.value = "galaxy";
  else if (event.key === "Escape" && selected.value.size) clearSelection();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

