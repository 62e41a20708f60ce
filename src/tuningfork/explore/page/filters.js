// The column of filters: every column of the catalogue by what it is about, each with its histogram or list of values.
import { html, signal, useEffect, useRef } from "./vendor/ui.js";
import { catalogue, clearFilter, conditions, keptSelection, setCondition, sort } from "./state.js";
import { countsOf, inView, want } from "./counts.js";
import { Histogram } from "./histogram.js";
import { Contains, ValueList } from "./values.js";
import * as format from "./format.js";

const sought = signal("");
export const opened = signal(new Set());

const OWN = { id: "Names", file: "Names", ood_score: "Doubt", ood: "Doubt", note: "Doubt", error: "Doubt", position: "Position", label: "Labels", map: "Maps" };
const LATE = ["Doubt", "Position", "Names", "Maps", "Other columns"];
const FIRST = ["Labels", "Classes"];
/** Shown when asked for: an interval's ends, width and spread stand behind their fraction. */
const BEHIND = ["low", "high", "spread", "width"];
const unfolded = signal(new Set());
const MANY = 12; // values of a class: those of more, such as the whole way down a tree, come last

/** The columns by what they are about: [{name, members, behind}], members being [column, its title there]. */
function headings(columns, questions) {
  const byAnswer = new Map();
  for (const question of questions) {
    for (const answer of question.answers) byAnswer.set(answer.column, { name: question.question || question.title, title: answer.title });
  }
  const groups = new Map();
  for (const column of columns) {
    const about = byAnswer.get(column.name) ?? byAnswer.get(column.of);
    const name = about?.name ?? OWN[column.role] ?? (["class", "probability"].includes(column.role) ? "Classes" : "Other columns");
    if (!groups.has(name)) groups.set(name, { name, members: [], behind: [] });
    const group = groups.get(name);
    if (BEHIND.includes(column.role)) group.behind.push([column, format.titleOf(column)]);
    else group.members.push([column, byAnswer.get(column.name)?.title ?? format.titleOf(column)]);
  }
  const long = ([column]) => column.role === "class" && (column.values?.length ?? 0) > MANY;
  for (const { members } of groups.values()) members.sort((a, b) => long(a) - long(b));
  const rank = ({ name }) => (FIRST.includes(name) ? FIRST.indexOf(name) - 9 : LATE.indexOf(name) + 1);
  return [...groups.values()].sort((a, b) => rank(a) - rank(b));
}

/** What is open at first: the classes, the first question's answers, the OOD score. */
export function openFirst() {
  const { columns, questions } = catalogue.value;
  const names = columns.filter((one) => ["class", "ood_score"].includes(one.role)).map((one) => one.name);
  const first = questions[0]?.answers.slice(0, 2).map((answer) => answer.column) ?? [];
  const others = columns.filter((one) => ["number", "integer"].includes(one.type)).map((one) => one.name);
  opened.value = new Set([...names, ...first].length ? [...names, ...first] : others.slice(0, 4));
}

function toggle(name) {
  const next = new Set(opened.value);
  if (!next.delete(name)) next.add(name);
  opened.value = next;
}

function Body({ column }) {
  const box = useRef(null);
  const counts = countsOf(column.name).value;
  const free = column.type === "text" && !column.values;
  useEffect(() => {
    if (free) return undefined;
    const watcher = new IntersectionObserver(([entry]) => {
      if (entry.isIntersecting) {
        inView.add(column.name);
        if (!countsOf(column.name).peek()) want(column.name);
      } else inView.delete(column.name);
    });
    watcher.observe(box.current);
    return () => {
      watcher.disconnect();
      inView.delete(column.name);
    };
  }, [column.name]);
  let inside = html`<div class="waiting histogram-wait"></div>`;
  if (free) inside = html`<${Contains} column=${column} />`;
  else if (counts?.error) inside = html`<p class="wrong">${counts.error}</p>`;
  else if (counts?.edges && counts.all.some(Boolean)) inside = html`<${Histogram} column=${column} counts=${counts} />`;
  else if (counts?.values?.length) inside = html`<${ValueList} column=${column} counts=${counts} />`;
  else if (counts) inside = html`<p class="hint">No value is known.</p>`;
  return html`<div class="filter-body" ref=${box}>${inside}</div>`;
}

function Column({ column, title }) {
  const isOpen = opened.value.has(column.name);
  const active = Boolean(conditions.value[column.name]);
  const sorted = sort.value?.column === column.name;
  const turn = () => (sort.value = { column: column.name, descending: sorted ? !sort.value.descending : true });
  return html`<section class="filter ${active ? "active" : ""}">
    <div class="filter-head">
      <button class="filter-name" aria-expanded=${isOpen} title=${column.description || column.name} onClick=${() => toggle(column.name)}>
        <span class="caret" aria-hidden="true"></span><span class="name-text">${title}</span>
      </button>
      ${active && html`<button class="link" onClick=${() => setCondition(column.name, null)}>clear</button>`}
      <button
        class="plain sort-button ${sorted ? "on" : ""}"
        aria-label="Sort by ${format.titleOf(column)}"
        title="Sort by it"
        onClick=${turn}
      >
        ${sorted && !sort.value.descending ? "↑" : "↓"}
      </button>
    </div>
    ${isOpen && html`<${Body} key=${column.name} column=${column} />`}
  </section>`;
}

function said(name, condition) {
  if (condition.in) return `${name}: ${condition.in.map(format.value).join(", ")}`;
  if (condition.contains) return `${name} contains “${condition.contains}”`;
  if ("null" in condition) return condition.null ? `${name} is not known` : `${name} is known`;
  if (condition.min === null || condition.min === undefined) return `${name} ≤ ${format.value(condition.max)}`;
  if (condition.max === null || condition.max === undefined) return `${name} ≥ ${format.value(condition.min)}`;
  return `${format.value(condition.min)} ≤ ${name} ≤ ${format.value(condition.max)}`;
}

function Chips() {
  const { columns } = catalogue.value;
  const entries = Object.entries(conditions.value);
  if (!entries.length && !keptSelection.value) return null;
  const chip = (text, remove) => html`<li class="chip" key=${text}>
    <span title=${text}>${text}</span><button class="plain" aria-label="Take away: ${text}" onClick=${remove}>×</button>
  </li>`;
  return html`<ul class="chips" aria-label="The filter">
    ${keptSelection.value && chip("a selection", () => (keptSelection.value = null))}
    ${entries.map(([name, condition]) => {
      const found = columns.find((one) => one.name === name);
      return chip(said(found ? format.titleOf(found) : name, condition), () => setCondition(name, null));
    })}
    <li><button class="link" onClick=${clearFilter}>Clear all</button></li>
  </ul>`;
}

const Members = ({ members }) => members.map(([column, title]) => html`<${Column} key=${column.name} column=${column} title=${title} />`);

function Group({ name, members, behind, all }) {
  const open = all || unfolded.value.has(name);
  const active = behind.filter(([column]) => conditions.value[column.name]);
  const turn = () => {
    const next = new Set(unfolded.value);
    if (!next.delete(name)) next.add(name);
    unfolded.value = next;
  };
  return html`<div class="filter-group">
    <h2>${name}</h2>
    <${Members} members=${members} /><${Members} members=${open ? behind : active} />
    ${behind.length > 0 && !all && html`<button class="link behind" onClick=${turn}>${open ? "Hide intervals" : `Intervals and spreads (${behind.length})`}</button>`}
  </div>`;
}

export function Filters() {
  const { columns, questions } = catalogue.value;
  const words = sought.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (one) => words.every((word) => `${one.title} ${one.name} ${one.description}`.toLowerCase().includes(word));
  const groups = headings(columns.filter(fits), questions);
  return html`<div class="filters-search">
      <input
        type="search"
        class="field"
        placeholder="Search ${format.count(columns.length)} columns"
        aria-label="Search columns"
        value=${sought.value}
        onInput=${(event) => (sought.value = event.target.value)}
      />
      <${Chips} />
    </div>
    <div class="filters-list">
      ${groups.map((group) => html`<${Group} key=${group.name} ...${group} all=${words.length > 0} />`)}
      ${groups.length === 0 && html`<p class="hint">No column is called so.</p>`}
    </div>`;
}
