// What is learned of the labels: fitted after every few, with its validation accuracy, interval and history; then a model folder.
import { effect, html, signal, untracked, useState } from "./vendor/ui.js";
import { get, post, server } from "./api.js";
import { catalogue, map, revision, sheet, sort, view } from "./state.js";
import { answers, labels, question, setup, sinceLearned, unsent } from "./labels.js";
import { beginAnew, order } from "./queue.js";
import { tried } from "./notices.js";
import { Icon } from "./icons.js";
import { copy } from "./copy.js";
import * as format from "./format.js";

const EVERY = 5; // new labels, then the head is fitted again

/** The last result of /api/learn, and one point for each that had a validation figure. */
export const learned = signal(null);
const history = signal([]);
const busy = signal(false);
const LEAST = 2; // labels that each of two classes needs
const trouble = signal("");
const refused = signal(null); // how many labels there were when the server had too few to learn from
const made = signal(null);
const begun = signal(null); // the question of which it is known what was learned

function take(result) {
  learned.value = result;
  if (result?.validation) history.value = [...history.value, { ...result.validation, labels: result.n }];
}

export async function learn() {
  if (busy.value || !catalogue.value.has.embedding) return;
  busy.value = true;
  sinceLearned.value = 0;
  const asked = setup.value?.schema;
  try {
    const result = await post("api/learn", question());
    if (asked === setup.value?.schema) take(result);
    trouble.value = "";
    catalogue.value = await get("api/catalogue");
    revision.value += 1;
    if (view.value === "label" && order.value !== "random") await beginAnew({ keep: true });
  } catch (error) {
    trouble.value = error.message;
    refused.value = setup.value.counts.labels;
  }
  busy.value = false;
}

/** What was learned of a question, when the tab comes to it. */
async function begin(name) {
  begun.value = null;
  if (!name) return;
  learned.value = null;
  history.value = [];
  trouble.value = "";
  made.value = null;
  refused.value = null;
  sinceLearned.value = 0;
  const known = await tried(() => get(`api/learn?${new URLSearchParams({ schema: name })}`));
  if (setup.value?.schema !== name) return;
  take(known ?? null);
  begun.value = name;
}

export async function followLearning() {
  if (!catalogue.value.has.labels || !catalogue.value.has.embedding) return;
  let asked;
  effect(() => {
    const name = setup.value?.schema;
    if (name === asked) return;
    asked = name;
    untracked(() => begin(name));
  });
  effect(() => {
    const { counts } = setup.value ?? {};
    const enough = Object.values(counts?.by_answer ?? {}).filter((n) => n >= LEAST).length >= 2;
    const first = !learned.value && view.value === "label" && counts?.labels !== refused.value;
    const due = sinceLearned.value >= EVERY || first;
    if (enough && due && begun.value === setup.value.schema && !unsent.value.length && server.value === "here") untracked(learn);
  });
}

const WIDTH = 300;
const HEIGHT = 120;

/** Accuracy on the galaxies set aside, against the number of labels. */
function History() {
  const points = history.value;
  if (!points.length) return null;
  const most = Math.max(...points.map((one) => one.labels), 10);
  const x = (n) => 30 + ((WIDTH - 40) * n) / most;
  const y = (share) => 8 + (HEIGHT - 28) * (1 - share);
  return html`<svg class="history" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Validation accuracy against the number of labels">
    ${[0, 0.5, 1].map(
      (share) => html`<path class="rule" d="M30 ${y(share)}H${WIDTH - 10}" /><text class="axis" x="26" y=${y(share) + 3.5} text-anchor="end">${share}</text>`,
    )}
    <text class="axis" x=${WIDTH - 10} y=${HEIGHT - 4} text-anchor="end">${format.count(most)} labels</text>
    <text class="axis" x="30" y=${HEIGHT - 4}>0</text>
    <path class="history-line" d=${points.map((one, i) => `${i ? "L" : "M"}${x(one.labels)} ${y(one.accuracy)}`).join("")} />
    ${points.map(
      (one, i) => html`<g key=${i}>
        <path class="history-whisker" d="M${x(one.labels)} ${y(one.low)}V${y(one.high)}" />
        <circle class="history-dot" cx=${x(one.labels)} cy=${y(one.accuracy)} r="3"><title>${one.labels} labels: ${format.percent(one.accuracy)}</title></circle>
      </g>`,
    )}
  </svg>`;
}

function Figure() {
  const result = learned.value;
  if (!result) return html`<p class="hint">Nothing is learned yet. It begins when two classes have two labels each.</p>`;
  if (!result.validation) return html`<p class="hint">Learned from ${result.n} labels; none set aside has a label yet, so it is not measured.</p>`;
  const { accuracy, low, high, n, filtered } = result.validation;
  return html`<div class="accuracy">
    <span class="big">${format.percent(accuracy)}</span>
    <span class="hint">right of ${n} set aside${filtered ? `, ${filtered} of them among what a filter kept: it holds for such galaxies` : ""}<br />95 % interval ${format.percent(low)} to ${format.percent(high)}</span>
  </div>`;
}

/** Of each class: its labels, how many of it among those set aside are found, how many called so are right. */
function Tally() {
  const { by_answer: byAnswer = {} } = setup.value?.counts ?? {};
  const judged = learned.value?.validation?.classes ?? {};
  const of = (part, all) => (all ? `${part} of ${all}` : "–");
  return html`<section>
    <table class="tally">
      <thead>
        <tr>
          <th>Class</th>
          <th>Labels</th>
          <th title="Of those set aside that are of this class, how many are called so">Found</th>
          <th title="Of those set aside that are called so, how many are">Right</th>
        </tr>
      </thead>
      <tbody>
        ${answers().map((one, i) => {
          const { n = 0, found = 0, called = 0 } = judged[one.name] ?? {};
          return html`<tr key=${one.name}>
            <td><span class="swatch tone-${i % 8}"></span>${one.title}</td>
            <td>${format.count(byAnswer[one.name] ?? 0)}</td>
            <td>${of(found, n)}</td>
            <td>${of(found, called)}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </section>`;
}

const byColumn = (name) => {
  sort.value = { column: name, descending: true };
  view.value = "grid";
};

const onMap = (name) => {
  map.value = { ...map.value, colour: name };
  view.value = "map";
};

function Found() {
  const columns = catalogue.value.columns.filter((one) => learned.value?.columns.includes(one.name));
  if (!columns.length) return null;
  return html`<section>
    <h3>See what it finds</h3>
    ${columns.map(
      (one) => html`<div class="found" key=${one.name}>
        <span title=${one.description}>${format.titleOf(one)}</span>
        <button class="link" onClick=${() => byColumn(one.name)}>surest first</button>
        <button class="link" onClick=${() => onMap(one.name)}>on the map</button>
      </div>`,
    )}
  </section>`;
}

function Train() {
  const [name, setName] = useState(`${setup.value?.schema ?? "labels"}-model`);
  const [waiting, setWaiting] = useState(false);
  const train = async (event) => {
    event.preventDefault();
    setWaiting(true);
    const result = await tried(() => post("api/train", { ...question(), out: name.trim() }));
    if (result) made.value = result;
    setWaiting(false);
  };
  return html`<section>
    <h3>Make it a model</h3>
    <form class="inline-form" onSubmit=${train}>
      <input class="field" aria-label="Name of the model folder" value=${name} maxlength="80" onInput=${(event) => setName(event.target.value)} />
      <button class="button" disabled=${waiting || !learned.value}>${waiting ? "Making …" : "Train"}</button>
    </form>
    ${made.value &&
    html`<p class="hint">The model is in <code>${made.value.model}</code>. With it:</p>
      <div class="command">
        <code>${made.value.command}</code>
        <button class="icon-button" aria-label="Copy the command" onClick=${() => copy(made.value.command)}><${Icon} name="copy" /></button>
      </div>`}
  </section>`;
}

export function Learn() {
  if (!catalogue.value.has.embedding) {
    return html`<div class="empty small">
      <p class="empty-title">Labels are kept; nothing is learned.</p>
      <p>Start the explorer with <code>--embedding FEATURES.parquet</code> (of <code>tuningfork embed</code>) to learn from them.</p>
    </div>`;
  }
  if (!answers().length) {
    return html`<div class="empty small">
      <p class="empty-title">Nothing is asked yet.</p>
      <p>Once there is a question, what is learned of the labels is shown here.</p>
    </div>`;
  }
  return html`<header class="galaxy-head">
      <h2>Learning</h2>
      <button class="icon-button only-narrow" aria-label="Close" onClick=${() => (sheet.value = null)}><${Icon} name="close" /></button>
    </header>
    <section class="learning">
      <${Figure} /><${History} />
      ${trouble.value && html`<p class="note">${trouble.value}</p>`}
      <div class="buttons">
        <button class="button" disabled=${busy.value || !labels.value.size} onClick=${learn}>${busy.value ? "Learning …" : "Learn now"}</button>
        <span class="hint">by itself after every ${EVERY} labels${learned.value?.seconds ? `; the last took ${learned.value.seconds.toFixed(1)} s` : ""}</span>
      </div>
    </section>
    <${Tally} />
    <${Found} />
    <${Train} key=${setup.value.schema} />`;
}
