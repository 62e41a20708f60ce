// Where the page begins: the catalogue is asked for, the state restored from the address, then all is drawn.
import { html, render } from "./vendor/ui.js";
import { get } from "./api.js";
import { catalogue, clearSelection } from "./state.js";
import { followQuery } from "./list.js";
import { followFilter } from "./counts.js";
import { followCursor } from "./galaxy.js";
import { followLabels } from "./labels.js";
import { followLearning } from "./learn.js";
import { followLink } from "./link.js";
import { followKeys } from "./keys.js";
import { followTheme } from "./screen.js";
import { openFirst } from "./filters.js";
import { chooseColumns } from "./table.js";
import { chooseMap } from "./map.js";
import { App } from "./app.js";

async function begin() {
  const root = document.getElementById("app");
  followTheme();
  try {
    catalogue.value = await get("api/catalogue");
  } catch (error) {
    render(html`<p class="boot wrong">The catalogue can't be shown: ${error.message}</p>`, root);
    return;
  }
  document.title = `${catalogue.value.name} · Tuningfork`;
  clearSelection();
  openFirst();
  chooseColumns();
  chooseMap();
  followLink();
  followQuery();
  followFilter();
  followCursor();
  followKeys();
  root.replaceChildren();
  render(html`<${App} />`, root);
  await followLabels();
  await followLearning();
}

begin();
