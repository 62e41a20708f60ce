// Labels: the question, what has been answered by whom, and the way to the server, which loses nothing while that is gone.
import { effect, html, signal, untracked } from "./vendor/ui.js";
import { get, post, server } from "./api.js";
import { catalogue, cursor, ids, revision } from "./state.js";
import { say, tried } from "./notices.js";

const EVERY = 2500; // milliseconds between looks at what others label

/** What /api/labels/setup says: the question, its answers, the counts; null where labels are not to be had. */
export const setup = signal(null);
/** The answer of each labelled row: row -> {answer, user}. */
export const labels = signal(new Map());
/** Answers that have not reached the server yet: [{row, id, schema, answer, queue}]. */
export const unsent = signal([]);
/** Why they wait, where the server has refused them for now; "" where it has not. */
export const held = signal("");
/** Labels given since the head was last fitted. */
export const sinceLearned = signal(0);
/** Rows of this page's answers, newest last. */
export const recent = signal([]);

let last = 0;
let given = []; // what was sent from this tab and can be taken back: as in `unsent`, with its number and whether it is for validation
const KEY = (what) => `tuningfork-${what} ${catalogue.value.name} ${catalogue.value.rows}`;

/** By which question this tab labels and learns; others may have another. */
export const question = () => (setup.value?.schema ? { schema: setup.value.schema } : {});

export const answers = () => setup.value?.answers ?? [];

/** The answer given to a row, or undefined. */
export function answerOf(row) {
  const given = labels.value.get(row)?.answer;
  return given === undefined ? undefined : (answers().find((one) => one.name === given) ?? { name: given, title: given });
}

/** Reads the setup of a question, that of this tab unless another is named; the labels are those by it. */
export async function readSetup(name = setup.value?.schema ?? stored("question")) {
  const before = setup.value?.schema;
  const found = await get(`api/labels/setup?${new URLSearchParams(name ? { schema: name } : {})}`);
  if (setup.value?.schema !== before) return; // another was chosen meanwhile
  setup.value = found;
  store("question", found.schema);
  if (found.schema === before) return;
  labels.value = new Map();
  recent.value = [];
  last = 0;
  await look();
}

export async function define(name, classes) {
  const { schema } = await post("api/labels/setup", { name, classes });
  await readSetup(schema);
}

function store(what, value) {
  try {
    if (value) sessionStorage.setItem(KEY(what), JSON.stringify(value));
    else sessionStorage.removeItem(KEY(what));
  } catch {
    // it is kept as long as the page is open
  }
}

function stored(what) {
  try {
    return JSON.parse(sessionStorage.getItem(KEY(what)));
  } catch {
    return null;
  }
}

function wait(answers) {
  unsent.value = answers;
  store("unsent", answers.length && answers);
}

function canUndo(answers) {
  given = answers.slice(-100);
  store("given", given);
}

function mark(row, answer, user) {
  const next = new Map(labels.value);
  if (answer === null) next.delete(row);
  else next.set(row, { answer, user });
  labels.value = next;
}

/** Answers for a galaxy (null: skipped). It is shown at once and sent as soon as the server takes it. */
export function give(row, answer, queue = null) {
  if (!ids.has(row)) {
    say("The galaxy is not here yet; label it once it is shown.", "wrong");
    return false;
  }
  mark(row, answer, setup.value.user);
  recent.value = [...recent.value.filter((one) => one !== row), row].slice(-12);
  wait([...unsent.value, { ...question(), row, id: ids.get(row), answer, queue }]);
  sendAll();
  return true;
}

let sending = false;

/** Sends what waits, in order. What the server refuses as wrong is dropped and said; all else waits until it is mended. */
export async function sendAll() {
  if (sending) return;
  sending = true;
  held.value = "";
  while (unsent.value.length && !held.value) await sendFirst();
  sending = false;
  await tried(look);
  await tried(() => readSetup());
}

async function sendFirst() {
  const [first] = unsent.value;
  try {
    const { n, validation } = await post("api/labels", first);
    if (!validation && first.answer !== null) sinceLearned.value += 1;
    canUndo([...given, { ...first, n, validation }]);
  } catch (error) {
    if (error.status !== 400) {
      held.value = error.message;
      return;
    }
    say(`${first.id}: ${error.message}`, "wrong");
    if (first.schema === setup.value?.schema) mark(first.row, null);
  }
  wait(unsent.value.slice(1));
}

/** Gives up what waits. */
export async function dropUnsent() {
  wait([]);
  held.value = "";
  labels.value = new Map();
  last = 0;
  await tried(look);
}

/** Takes back the last label of this tab by its question; what it was, or undefined. */
export async function undo() {
  if (server.value !== "here" || unsent.value.length) return say("Wait until the labels have been sent, then undo.", "wrong");
  const mine = given.findLast((one) => one.schema === setup.value?.schema);
  if (!mine) return say("There is nothing to undo in this tab.");
  return tried(async () => {
    const { row } = await post("api/labels/undo", { n: mine.n, schema: mine.schema });
    canUndo(given.filter((one) => one.n !== mine.n));
    if (row === null) return undefined;
    mark(row, null);
    recent.value = recent.value.filter((one) => one !== row);
    await look();
    await readSetup();
    return { ...mine, row };
  });
}

/** What has been labelled since, here and elsewhere, by the question that is asked now. */
async function fetchSince() {
  const found = [];
  for (;;) {
    const { entries, last: now } = await get(`api/labels?since=${last}`);
    if (now === last) return found;
    last = now;
    found.push(...entries.filter((entry) => entry.schema === setup.value?.schema));
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
  for (const { row, answer, schema } of unsent.value) {
    if (answer !== null && schema === setup.value.schema) next.set(row, { answer, user: setup.value.user });
  }
  labels.value = next;
  if (!sending) await readSetup();
}

export async function followLabels() {
  if (!catalogue.value.has.labels) return;
  unsent.value = stored("unsent") ?? [];
  given = stored("given") ?? [];
  await tried(() => readSetup());
  addEventListener("beforeunload", (event) => unsent.value.length && event.preventDefault());
  await tried(look);
  for (const { row, answer, schema } of unsent.value) if (schema === setup.value?.schema) mark(row, answer, setup.value.user);
  sendAll();
  setInterval(() => {
    if (!document.hidden && server.value === "here" && !sending) tried(look);
  }, EVERY);
  effect(() => {
    revision.value;
    untracked(() => tried(() => readSetup()));
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

/** What to do with an answer; the label view sets it so that the next galaxy comes, and that its queue is known. */
export const afterAnswer = { next: () => {}, from: () => null };

export function answerFor(row, name) {
  if (give(row, name, afterAnswer.from(row))) afterAnswer.next(row);
}

export function answerByKey(key) {
  const chosen = answers().find((one) => one.key === key);
  if (chosen && cursor.value.row !== null) answerFor(cursor.value.row, chosen.name);
  return Boolean(chosen);
}
