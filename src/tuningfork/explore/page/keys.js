// Keys of the whole page. Those of the grid and the table are theirs (picking.js).
import { html } from "./vendor/ui.js";
import { clearSelection, cursor, dialog, selected, sheet, view, VIEWS } from "./state.js";
import { step, toggle } from "./picking.js";
import { answerByKey } from "./labels.js";
import { skip, undo } from "./queue.js";
import { settingUp } from "./setup.js";

const LIST = [
  ["g m t l", "Grid, map, table, label"],
  ["arrows", "Move; with shift, select on the way"],
  ["j k", "Next, previous galaxy"],
  ["space", "Select the current galaxy"],
  ["enter", "Open the current galaxy"],
  ["escape", "Close; then let the selection go"],
  ["1 to 9", "Label the current galaxy"],
  ["u", "Undo the last label"],
  ["s", "Skip, in the label view"],
  ["f", "Enlarge the picture"],
  ["/", "Search columns"],
  ["?", "These keys"],
];

export const KeyList = () => html`<dl class="key-list">
  ${LIST.map(([keys, does]) => html`<div key=${keys}><dt>${keys.split(" ").map((key) => html`<kbd key=${key}>${key}</kbd>`)}</dt><dd>${does}</dd></div>`)}
</dl>`;

const typing = (element) => element.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select") !== null;

function escape() {
  if (sheet.value) sheet.value = null;
  else if (selected.value.size) clearSelection();
}

const ACTIONS = {
  j: () => step(1),
  k: () => step(-1),
  u: undo,
  s: () => view.value === "label" && skip(),
  f: () => cursor.value.row !== null && (dialog.value = "picture"),
  "?": () => (dialog.value = "keys"),
  "/": () => document.querySelector(".filters-search input")?.focus(),
  Escape: escape,
  " ": (event) => cursor.value.row !== null && event.target === document.body && toggle(cursor.value.row),
};
VIEWS.forEach((name) => {
  ACTIONS[name[0]] = () => (view.value = name);
});

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (dialog.value) {
    if (event.key === "Escape" || (event.key === "f" && dialog.value === "picture")) {
      event.preventDefault(); // the browser would close it later, and a key pressed meanwhile would be lost
      dialog.value = null;
    }
    if (["j", "k"].includes(event.key)) ACTIONS[event.key]();
    return;
  }
  if (view.value === "label" && settingUp.value && (/^[1-9]$/.test(event.key) || ["u", "s"].includes(event.key))) return;
  if (event.key >= "1" && event.key <= "9") {
    if (answerByKey(event.key)) event.preventDefault();
    return;
  }
  if (!ACTIONS[event.key]) return;
  if (event.key === "/" || event.key === "?") event.preventDefault();
  ACTIONS[event.key](event);
}

export const followKeys = () => addEventListener("keydown", pressed);
