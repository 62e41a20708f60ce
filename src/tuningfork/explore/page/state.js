// What the page shows: one signal for each thing that can change. Nothing here draws or asks the server.
import { computed, signal } from "./vendor/ui.js";
import { RowSet } from "./rowset.js";

/** What /api/catalogue says; set before anything is drawn, renewed when columns come to it. */
export const catalogue = signal(null);

export const VIEWS = ["grid", "map", "table", "label"];
export const view = signal("grid");

/** One condition a column: {min, max}, {in}, {contains} or {null}. */
export const conditions = signal({});
/** The server's name of the selection that is kept, or null. */
export const keptSelection = signal(null);
/** {column, descending}, {order}, or null: the catalogue's own order. */
export const sort = signal(null);

/** Rises when what the server holds has changed (labels, learning), so that lists are asked for anew. */
export const revision = signal(0);

export const filter = computed(() => {
  const all = Object.entries(conditions.value).map(([column, condition]) => ({ column, ...condition }));
  if (keptSelection.value) all.push({ selection: keptSelection.value });
  return { all };
});

/** How many galaxies the filter keeps; null while it is being counted. */
export const kept = signal(null);

export const selected = signal(new RowSet(0));

/** The current galaxy: its row, and its place in the list as sorted (null where not known). */
export const cursor = signal({ row: null, index: null });

/** The ids of the galaxies that were shown, by row: a label says of which it is. */
export const ids = new Map();
export const shown = (galaxies) => galaxies.forEach(({ row, id }) => ids.set(row, id));

export const look = signal({ view: "model", stretch: 0 });
export const thumbnail = signal(132);
export const tableColumns = signal([]);
export const map = signal({ x: null, y: null, colour: null });
export const mapTool = signal("pan");

/** The sheet that is open on a narrow screen: "filters", "galaxy" or null. */
export const sheet = signal(null);
/** The dialog that is open: "take", "keys", "picture", "columns" or null. */
export const dialog = signal(null);

export const column = (name) => catalogue.value.columns.find((one) => one.name === name) ?? null;

export function setCondition(name, condition) {
  const { [name]: _, ...others } = conditions.value;
  conditions.value = condition ? { ...others, [name]: condition } : others;
}

export function clearFilter() {
  conditions.value = {};
  keptSelection.value = null;
}

export function select(rows, { add = false, remove = false } = {}) {
  const before = add || remove ? selected.value : new RowSet(catalogue.value.rows);
  selected.value = before.with(rows, !remove);
}

export const clearSelection = () => {
  selected.value = new RowSet(catalogue.value.rows);
};
