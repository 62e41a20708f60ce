// The queue of galaxies to label: in the order chosen, within the filter, begun anew when either or what is learned changes.
import { effect, signal, untracked } from "./vendor/ui.js";
import { post } from "./api.js";
import { cursor, filter, shown } from "./state.js";
import { afterAnswer, give, labels, question, setup, undo as takeBack } from "./labels.js";
import { tried } from "./notices.js";

const AHEAD = 20;
const FEW = 5;

/** One of those that the server has for this catalogue. */
export const order = signal(null);
/** What comes next: [{row, id, validation}]; null while it is on its way. */
export const queue = signal(null);
export const current = signal(null);

const passed = new Set(); // answered or skipped here: they do not come again in this page
let round = 0; // rises when the queue begins anew: answers to earlier questions are dropped
let empty = false; // the server has no more
let by = null; // the question that the queue is of
let asked = null; // the filter that the queue is of

async function fill() {
  const mine = round;
  const answer = await tried(() => post("api/labels/next", { ...question(), order: order.value, filter: filter.value, n: AHEAD }));
  if (mine !== round) return;
  shown(answer?.rows ?? []);
  const waiting = queue.value ?? [];
  const known = new Set([...waiting.map((one) => one.row), current.value?.row, ...passed]);
  const fresh = (answer?.rows ?? [])
    .filter((one) => !known.has(one.row) && !labels.value.has(one.row))
    .map((one) => ({ ...one, from: filter.value.all.length ? "filtered" : "queue" }));
  empty = !fresh.length;
  queue.value = [...waiting, ...fresh];
  if (!current.value && fresh.length) advance();
}

/** Asks for a new queue; the galaxy that is looked at stays unless another question is asked. */
export function beginAnew({ keep = false } = {}) {
  round += 1;
  empty = false;
  asked = filter.value;
  if (by !== setup.value.schema) passed.clear();
  by = setup.value.schema;
  queue.value = null;
  if (!keep) current.value = null;
  return fill();
}

export function chooseOrder(name) {
  order.value = name;
  return beginAnew();
}

function advance() {
  const [first, ...others] = queue.value ?? [];
  current.value = first ?? null;
  queue.value = queue.value && others;
  cursor.value = { row: first?.row ?? null, index: null };
  if (queue.value && others.length < FEW && !empty) fill();
}

/** How a galaxy came to be looked at: from the queue, which a filter may have narrowed; null: it was chosen. */
const cameFrom = (row) => (current.value?.row === row ? current.value.from : null);

export function skip() {
  if (!current.value) return;
  if (!give(current.value.row, null, cameFrom(current.value.row))) return;
  passed.add(current.value.row);
  advance();
}

export async function undo() {
  const taken = await takeBack();
  if (!taken) return;
  const { row, queue: from } = taken;
  passed.delete(row);
  if (current.value) queue.value = [current.value, ...(queue.value ?? [])];
  current.value = { row, id: null, validation: taken.validation, from };
  cursor.value = { row, index: null };
}

/** In the label view an answer brings the next galaxy. Gives a function that ends this. */
export function beginLabelling() {
  const { orders } = setup.value;
  if (!orders.includes(order.value)) order.value = orders[0];
  afterAnswer.from = cameFrom;
  afterAnswer.next = (row) => {
    passed.add(row);
    if (current.value?.row === row) advance();
  };
  const stop = effect(() => {
    const now = filter.value;
    untracked(() => {
      if (now !== asked) beginAnew();
      else if (current.value) cursor.value = { row: current.value.row, index: null };
    });
  });
  return () => {
    stop();
    afterAnswer.from = () => null;
    afterAnswer.next = () => {};
  };
}
