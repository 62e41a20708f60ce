// The permalink: what is shown, in the part of the address after "#", which never leaves the browser.
import { batch, effect, signal } from "./vendor/ui.js";
import { catalogue, column, conditions, cursor, keptSelection, look, map, sort, tableColumns, thumbnail, view, VIEWS } from "./state.js";
import { copy } from "./copy.js";

/** How the map is drawn: "auto", "webgl" or "canvas", for machines whose WebGL is at fault. */
export const renderer = signal("auto");

/** What is shown at first: pictures, where there are any. */
const first = () => (catalogue.value.has.images ? "grid" : "table");

function written() {
  const said = new URLSearchParams();
  if (view.value !== first()) said.set("view", view.value);
  if (Object.keys(conditions.value).length) said.set("filter", JSON.stringify(conditions.value));
  if (keptSelection.value) said.set("selection", keptSelection.value);
  if (sort.value) said.set("sort", JSON.stringify(sort.value));
  if (cursor.value.row !== null) said.set("galaxy", cursor.value.row);
  if (view.value === "map") said.set("map", JSON.stringify(map.value));
  if (view.value === "table") said.set("columns", JSON.stringify(tableColumns.value));
  if (look.value.view !== "model") said.set("frame", "whole");
  if (look.value.stretch) said.set("stretch", look.value.stretch);
  if (thumbnail.value !== 132) said.set("size", thumbnail.value);
  if (renderer.value !== "auto") said.set("renderer", renderer.value);
  return said.toString();
}

function json(text, fallback) {
  try {
    return text ? (JSON.parse(text) ?? fallback) : fallback;
  } catch {
    return fallback; // an address that was cut: the rest of it holds
  }
}

const within = (number, least, most, fallback) => (number >= least && number <= most ? number : fallback);
const plain = (thing) => thing !== null && typeof thing === "object" && !Array.isArray(thing);

function restore() {
  const said = new URLSearchParams(location.hash.slice(1));
  const known = (given) => Object.fromEntries(Object.entries(given).filter(([name, one]) => column(name) && plain(one)));
  const order = json(said.get("sort"), null);
  const row = said.has("galaxy") ? Number(said.get("galaxy")) : NaN;
  const columns = json(said.get("columns"), null);
  batch(() => {
    view.value = VIEWS.includes(said.get("view")) ? said.get("view") : first();
    const given = json(said.get("filter"), {});
    conditions.value = plain(given) ? known(given) : {};
    keptSelection.value = said.get("selection");
    sort.value = plain(order) && (order.order || column(order.column)) ? order : null;
    cursor.value = { row: Number.isInteger(row) ? within(row, 0, catalogue.value.rows - 1, null) : null, index: null };
    look.value = { view: said.get("frame") === "whole" ? "frame" : "model", stretch: within(Number(said.get("stretch")), -1, 1, 0) };
    thumbnail.value = within(Number(said.get("size") ?? 132), 48, 384, 132);
    if (["webgl", "canvas"].includes(said.get("renderer"))) renderer.value = said.get("renderer");
    if (said.has("map")) map.value = { ...map.value, ...json(said.get("map"), {}) };
    if (Array.isArray(columns)) tableColumns.value = columns.filter((name) => column(name));
  });
}

export function followLink() {
  restore();
  let ours = location.hash;
  let timer;
  effect(() => {
    const now = written();
    clearTimeout(timer);
    timer = setTimeout(() => {
      ours = now ? `#${now}` : "";
      history.replaceState(null, "", `${location.pathname}${ours}`);
    }, 150);
  });
  addEventListener("hashchange", () => {
    if (location.hash !== ours) restore();
  });
}

export const copyLink = () => copy(`${location.origin}${location.pathname}#${written()}`, "Link copied");
