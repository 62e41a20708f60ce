// Histograms of columns, fetched when seen and again when the filter changes; two at a time, so that rows come first.
import { effect, signal, untracked } from "./vendor/ui.js";
import { post } from "./api.js";
import { conditions, filter, revision } from "./state.js";

const BINS = 40;
const AT_ONCE = 2;

const known = new Map(); // column -> signal of {edges|values, all, kept} or {error}
const waiting = new Set();
let working = 0;
let round = 0;

export function countsOf(name) {
  if (!known.has(name)) known.set(name, signal(null));
  return known.get(name);
}

/** The filter without the column's own condition: its bars show what else could be chosen. */
function othersOnly(name) {
  return { all: filter.value.all.filter((condition) => condition.column !== name) };
}

export function want(name) {
  waiting.add(name);
  next();
}

function next() {
  for (const name of waiting) {
    if (working >= AT_ONCE) return;
    waiting.delete(name);
    fetchCounts(name);
  }
}

async function fetchCounts(name) {
  working += 1;
  const began = round;
  const into = countsOf(name);
  try {
    const answer = await post("api/histogram", { column: name, filter: othersOnly(name), bins: BINS });
    if (began === round) into.value = answer;
  } catch (error) {
    into.value = { error: error.message };
  } finally {
    working -= 1;
    next();
  }
}

/** Columns in view, which are counted again when the filter changes. */
export const inView = new Set();

export function followFilter() {
  let timer;
  effect(() => {
    filter.value;
    conditions.value;
    revision.value;
    clearTimeout(timer);
    timer = setTimeout(
      () =>
        untracked(() => {
          round += 1;
          for (const [name, into] of known) if (!inView.has(name)) into.value = null;
          for (const name of inView) want(name);
        }),
      120,
    );
  });
}
