// Labels: the question, what has been answered by whom, and the way to the server, which loses nothing while that is gone.
import { effect, html, signal, untracked } from "./vendor/ui.js";
import { get, post, server } from "./api.js";
import { catalogue, cursor, revision } from "./state.js";
import { say, tried } from "./notices.js";

const EVERY = 2500; // milliseconds between looks at what others label

/** What /api/labels/setup says: the question, its answers, the counts; null where labels are not to be had. */
export const setup = signal(null);
/** The answer of each labelled row: row -> {answer, user}. */
export const labels = signal(new Map());
/** Answers that have not reached the server yet: [{row, answer}]. */
export const unsent = signal([]);
/** Labels given since the head was last fitted. */
export const sinceLearned = signal(0);
/** Rows of this page's answers, newest last. */
export const recent = signal([]);

let last = 0;
const KEY = () => `tuningfork-unsent ${catalogue.value.name} ${catalogue.value.rows}`;

export const answers = () => setup.value?.answers ?? [];

/** The answer given to a row, or undefined. */
export function answerOf(row) {
  const given = labels.value.get(row)?.answer;
  return given === undefined ? undefined : (answers().find((one) => one.name === given) ?? { name: given, title: given });
}

export async function readSetup() {
  setup.value = await get("api/labels/setup");
}

export async function define(name, classes) {
  await post("api/labels/setup", { name, classes });
  await readSetup();
  labels.value = new Map();
  last = 0;
  await look();
}

function keep() {
  try {
    if (unsent.value.length) sessionStorage.setItem(KEY(), JSON.stringify(unsent.value));
    else sessionStorage.removeItem(KEY());
  } catch {
    // they are kept as long as the page is open
  }
}

function mark(row, answer, user) {
  const next = new Map(labels.value);
  if (answer === null) next.delete(row);
  else next.set(row, { answer, user });
  labels.value = next;
}

/** Answers for a galaxy (null: skipped). It is shown at once and sent as soon as the server takes it. */
export function give(row, answer) {
  mark(row, answer, setup.value.user);
  recent.value = [...recent.value.filter((one) => one !== row), row].slice(-12);
  unsent.value = [...unsent.value, { row, answer }];
  keep();
  sendAll();
}

let sending = false;

async function sendAll() {
  if (sending) return;
  sending = true;
  while (unsent.value.length) {
    const [first] = unsent.value;
    const sent = await tried(() => post("api/labels", first));
    if (!sent) mark(first.row, null);
    else if (!sent.validation && first.answer !== null) sinceLearned.value += 1;
    unsent.value = unsent.value.slice(1);
    keep();
  }
  sending = false;
  await tried(look);
  await tried(readSetup);
}

export async function undo() {
  if (server.value !== "here" || unsent.value.length) return say("Wait until the labels have been sent, then undo.", "wrong");
  return tried(async () => {
    const { row } = await post("api/labels/undo", {});
    if (row === null) return say("There is nothing to undo.");
    mark(row, null);
    recent.value = recent.value.filter((one) => one !== row);
    await look();
    await readSetup();
    return row;
  });
}

/** What has been labelled since, here and elsewhere, by the question that is asked now. */
async function fetchSince() {
  const found = [];
  for (;;) {
    const { entries, last: now } = await get(`api/labels?since=${last}`);
    if (now === last) return found;
    last = now;
    found.push(...entries.filter((entry) => !entry.schema || entry.schema === setup.value?.schema));
  }
}

async function look() {
  const before = last;
  const entries = await fetchSince();
  if (last === before) return;
  const next = new Map(labels.value);
  for (const { row, answer, user } of entries) {
    if (answer === null) next.delete(row);
    else next.set(row, { answer, user });
  }
  for (const { row, answer } of unsent.value) if (answer !== null) next.set(row, { answer, user: setup.value.user });
  labels.value = next;
  if (!sending) await readSetup();
}

export async function followLabels() {
  if (!catalogue.value.has.labels) return;
  await tried(readSetup);
  try {
    unsent.value = JSON.parse(sessionStorage.getItem(KEY()) ?? "[]");
  } catch {
    unsent.value = [];
  }
  addEventListener("beforeunload", (event) => unsent.value.length && event.preventDefault());
  await tried(look);
  for (const { row, answer } of unsent.value) mark(row, answer, setup.value?.user);
  sendAll();
  setInterval(() => {
    if (!document.hidden && server.value === "here" && !sending) tried(look);
  }, EVERY);
  effect(() => {
    revision.value;
    untracked(() => tried(readSetup));
  });
}

/** The answers as buttons, for whichever galaxy is open. */
export function Answers({ row, large = false }) {
  const choices = answers();
  if (!choices.length) return null;
  const given = labels.value.get(row);
  return html`<section class=${large ? "answers large-answers" : "answers"}>
    ${!large && html`<h3>Label</h3>`}
    <div class="answer-buttons" role="group" aria-label=${setup.value.question || "Label"}>
      ${choices.map(
        (one) => html`<button
          key=${one.name}
          class="answer"
          aria-pressed=${given?.answer === one.name}
          onClick=${() => answerFor(row, one.name)}
        >
          ${one.key && html`<kbd>${one.key}</kbd>`}<span>${one.title}</span>
        </button>`,
      )}
    </div>
    ${given && given.user && given.user !== setup.value.user && html`<p class="hint">Labelled by ${given.user}.</p>`}
  </section>`;
}

/** What to do with an answer; the label view sets it so that the next galaxy comes. */
export const afterAnswer = { next: () => {} };

export function answerFor(row, name) {
  give(row, name);
  afterAnswer.next(row);
}

export function answerByKey(key) {
  const chosen = answers().find((one) => one.key === key);
  if (chosen && cursor.value.row !== null) answerFor(cursor.value.row, chosen.name);
  return Boolean(chosen);
}
