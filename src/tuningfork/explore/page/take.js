// Take away: the selection, what the filter keeps, or the labels, as a file or to other programs.
import { html, signal, useState } from "./vendor/ui.js";
import { post, postForFile, postRows } from "./api.js";
import { filter, kept, selected } from "./state.js";
import { labels, question } from "./labels.js";
import { say, tried } from "./notices.js";
import { copyLink } from "./link.js";
import * as format from "./format.js";

const FORMATS = [
  ["csv", "CSV", "text, opens anywhere"],
  ["parquet", "Parquet", "typed, small, for pandas and the like"],
  ["fits", "FITS table", "for astronomers’ tools"],
  ["votable", "VOTable", "with units and descriptions"],
  ["html", "HTML page", "one file with pictures, for a supplement"],
];

const chosenFormat = signal("csv");

const choices = () => [
  ["selected", "The selection", selected.value.size],
  ["kept", "What the filter keeps", kept.value ?? 0],
  ["labels", "The labelled galaxies", labels.value.size],
];

/** What the server is asked for: a filter, or those of all that have a label. */
async function asked(what) {
  if (what === "kept") return { ...question(), filter: filter.value };
  if (what === "labels") return { ...question(), filter: { all: [] }, labelled: true };
  const { selection } = await postRows("api/select", selected.value.toArray());
  return { ...question(), filter: { all: [{ selection }] } };
}

const nameIn = (disposition) => /filename="?([^";]+)"?/.exec(disposition ?? "")?.[1] ?? "galaxies";

async function download(what) {
  const answer = await postForFile("api/take", { format: chosenFormat.value, ...(await asked(what)) });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = nameIn(answer.headers.get("Content-Disposition"));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say(`Saved: ${link.download}`);
}

async function toPrograms(what) {
  const { clients } = await post("api/samp", await asked(what));
  say(clients.length ? `Sent to ${clients.join(", ")}.` : "Sent; no program has taken it.");
}

export function TakeAway() {
  const [what, setWhat] = useState(selected.value.size ? "selected" : "kept");
  const [busy, setBusy] = useState(false);
  const run = (work) => async () => {
    setBusy(true);
    await tried(() => work(what));
    setBusy(false);
  };
  const size = choices().find(([name]) => name === what)[2];
  return html`<div class="take">
    <fieldset>
      <legend>What</legend>
      <div class="cards">
        ${choices().map(
          ([name, title, n]) => html`<label class="card" key=${name}>
            <input type="radio" name="what" value=${name} checked=${what === name} disabled=${!n} onChange=${() => setWhat(name)} />
            <span class="card-title">${title}</span><span class="hint">${format.galaxies(n)}</span>
          </label>`,
        )}
      </div>
    </fieldset>
    <fieldset>
      <legend>As</legend>
      <div class="cards">
        ${FORMATS.map(
          ([name, title, about]) => html`<label class="card" key=${name}>
            <input
              type="radio"
              name="format"
              value=${name}
              checked=${chosenFormat.value === name}
              onChange=${() => (chosenFormat.value = name)}
            />
            <span class="card-title">${title}</span><span class="hint">${about}</span>
          </label>`,
        )}
      </div>
    </fieldset>
    <div class="buttons">
      <button class="button primary" disabled=${busy || !size} onClick=${run(download)}>${busy ? "Writing …" : "Save the file"}</button>
      <button class="button" disabled=${busy || !size} title="Send it to TOPCAT or Aladin over SAMP" onClick=${run(toPrograms)}>Send to TOPCAT, Aladin</button>
      <button class="button" onClick=${copyLink}>Copy a link to this view</button>
    </div>
  </div>`;
}
