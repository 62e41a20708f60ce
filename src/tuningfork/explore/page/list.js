// The galaxies as filtered and sorted, fetched in pages as they come into view. Grid, table and keys share it.
import { computed, effect, signal, untracked } from "./vendor/ui.js";
import { post } from "./api.js";
import { catalogue, cursor, filter, kept, revision, shown, sort, tableColumns } from "./state.js";
import { tried } from "./notices.js";

const PAGE = 120;
const KEPT_PAGES = 60;

/** Rises when a page has come, so that what shows the list is drawn again. */
export const arrived = signal(0);

/** Rises when the list is another one (filter or order), which is shown from its beginning. */
export const begun = signal(0);

/** Why there is no list; "" where there is one. */
export const trouble = signal("");

/** The columns each row comes with: those of the table and the one it is sorted by. */
export const fetched = computed(() => {
  const names = new Set(tableColumns.value);
  if (sort.value?.column) names.add(sort.value.column);
  return [...names];
});

const query = computed(() => ({ filter: filter.value, sort: sort.value, columns: fetched.value }));

let pages = new Map();
let previous = new Map(); // shown until the new list has come, so that nothing flickers
let asked = null;
let order = null; // filter and sort of the list that is shown

/** Begins anew whenever the question changes. */
export function followQuery() {
  let timer;
  effect(() => {
    const question = query.value;
    revision.value;
    clearTimeout(timer);
    timer = setTimeout(() => untracked(() => begin(question)), 10);
  });
}

async function begin(question) {
  asked?.abort();
  asked = new AbortController();
  if (pages.size) previous = pages;
  const now = JSON.stringify([question.filter, question.sort]);
  if (order !== null && now !== order) {
    cursor.value = { ...cursor.value, index: null };
    begun.value += 1;
  }
  order = now;
  pages = new Map();
  await fetchPage(question, 0, asked.signal);
}

function fetchPage(question, number, stop) {
  const into = pages;
  into.set(number, null);
  return tried(async () => {
    try {
      const answer = await post("api/rows", { ...question, offset: number * PAGE, limit: PAGE }, stop);
      if (into !== pages) return;
      into.set(number, answer.rows);
      shown(answer.rows);
      forgetFar(number);
      kept.value = answer.total;
      trouble.value = "";
      previous = new Map();
      arrived.value += 1;
    } catch (error) {
      into.delete(number);
      if (error.name === "AbortError" || number > 0) throw error;
      trouble.value = error.message;
      kept.value = 0;
    }
  });
}

function forgetFar(number) {
  if (pages.size <= KEPT_PAGES) return;
  const farthest = [...pages.keys()].reduce((a, b) => (Math.abs(b - number) > Math.abs(a - number) ? b : a));
  pages.delete(farthest);
}

/** The galaxy at a place of the list: {row, id, values}, or undefined while it is on its way. */
export function at(index) {
  const number = Math.floor(index / PAGE);
  const rows = pages.get(number) ?? previous.get(number);
  return rows?.[index % PAGE];
}

/** Asks for what lies between two places, if it has not been. */
export function need(first, last) {
  if (!asked || kept.value === null) return;
  const end = Math.min(last, kept.value - 1);
  for (let number = Math.floor(Math.max(first, 0) / PAGE); number * PAGE <= end; number++) {
    if (!pages.has(number)) fetchPage(query.peek(), number, asked.signal);
  }
}

/** The galaxy at a place, waited for. */
export async function arrive(index) {
  need(index, index);
  for (let tries = 0; tries < 100 && !at(index); tries++) await new Promise((resolve) => setTimeout(resolve, 50));
  return at(index);
}

/** The place of a row among what is fetched, or null. */
export function placeOf(row) {
  for (const [number, rows] of pages) {
    const found = rows?.findIndex((galaxy) => galaxy.row === row) ?? -1;
    if (found >= 0) return number * PAGE + found;
  }
  return null;
}

export const total = () => kept.value ?? catalogue.value.rows;
