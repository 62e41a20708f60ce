// The queue of galaxies to label: in the order chosen, within the filter, begun anew when the head has learned.
import { signal } from "./vendor/ui.js";
import { post } from "./api.js";
import { catalogue, cursor, filter } from "./state.js";
import { afterAnswer, give, labels, undo as takeBack } from "./labels.js";
import { tried } from "./notices.js";

const AHEAD = 20;
const FEW = 5;

export const order = signal("uncertainty");
/** What comes next: [{row, id, validation}]; null while it is on its way. */
export const queue = signal(null);
export const current = signal(null);

let filling = false;
const passed = new Set(); // answered or skipped here: they do not come again in this page

export async function fill({ anew = false } = {}) {
  if (filling) return;
  filling = true;
  await tried(async () => {
    const { rows } = await post("api/labels/next", { order: order.value, filter: filter.value, n: AHEAD });
    const waiting = anew ? [] : (queue.value ?? []);
    const known = new Set([...waiting.map((one) => one.row), current.value?.row, ...passed]);
    queue.value = [...waiting, ...rows.filter((one) => !known.has(one.row) && !labels.value.has(one.row))];
  });
  filling = false;
  queue.value ??= [];
  if (!current.value) advance();
}

export function advance() {
  const [first, ...others] = queue.value ?? [];
  current.value = first ?? null;
  queue.value = others;
  if (first) cursor.value = { row: first.row, index: null };
  if (others.length < FEW) fill();
}

export function chooseOrder(name) {
  order.value = name;
  current.value = null;
  queue.value = null;
  fill({ anew: true });
}

export function skip() {
  if (!current.value) return;
  give(current.value.row, null);
  passed.add(current.value.row);
  advance();
}

export async function undo() {
  const row = await takeBack();
  if (typeof row !== "number") return;
  passed.delete(row);
  if (current.value) queue.value = [current.value, ...(queue.value ?? [])];
  current.value = { row, id: null, validation: false };
  cursor.value = { row, index: null };
}

/** In the label view an answer brings the next galaxy. */
export function beginLabelling() {
  afterAnswer.next = (row) => {
    passed.add(row);
    if (current.value?.row === row) advance();
  };
  if (!queue.value && catalogue.value.has.labels) fill({ anew: true });
  else if (current.value) cursor.value = { row: current.value.row, index: null };
  return () => {
    afterAnswer.next = () => {};
  };
}
