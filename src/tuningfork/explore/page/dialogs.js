// The dialogs of the page, one at a time, in the browser's own <dialog>.
import { html, useLayoutEffect, useRef } from "./vendor/ui.js";
import { cursor, dialog } from "./state.js";
import { galaxy } from "./galaxy.js";
import { Enlarged } from "./large.js";
import { ChooseColumns } from "./table.js";
import { TakeAway } from "./take.js";
import { KeyList } from "./keys.js";
import { Icon } from "./icons.js";

const TITLES = { take: "Take away", keys: "Keys", columns: "Columns of the table", picture: "Picture" };

function inside(name) {
  if (name === "take") return html`<${TakeAway} />`;
  if (name === "keys") return html`<${KeyList} />`;
  if (name === "columns") return html`<${ChooseColumns} />`;
  return galaxy.value && cursor.value.row !== null ? html`<${Enlarged} galaxy=${galaxy.value} />` : null;
}

export function Dialogs() {
  const box = useRef(null);
  const open = useRef(null);
  const name = dialog.value;
  useLayoutEffect(() => {
    open.current = name;
    if (name && !box.current.open) box.current.showModal();
    if (!name && box.current.open) box.current.close();
  }, [name]);
  const close = () => (dialog.value = null);
  // The browser says so later, when another may be open already: only a dialog that it closed itself counts.
  const closed = () => {
    if (!box.current.open && open.current === dialog.value) close();
  };
  const outside = (event) => {
    if (event.target === box.current) close();
  };
  return html`<dialog ref=${box} class="dialog ${name ?? ""}" aria-label=${TITLES[name]} onClose=${closed} onClick=${outside}>
    ${name &&
    html`<div class="dialog-box">
      <header>
        <h2>${TITLES[name]}</h2>
        <button class="icon-button" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>
      </header>
      ${inside(name)}
    </div>`}
  </dialog>`;
}
