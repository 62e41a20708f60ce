// The label view: one galaxy after another, an answer a key.
import { html, useEffect } from "./vendor/ui.js";
import { catalogue, cursor, filter, look, sheet } from "./state.js";
import { answers, Answers, answerOf, labels, recent, setup, unsent } from "./labels.js";
import { beginAnew, beginLabelling, chooseOrder, current, order, queue, skip, undo } from "./queue.js";
import { LabelSetup, settingUp } from "./setup.js";
import { Picture } from "./thumb.js";
import { Stretch, ViewSwitch } from "./large.js";
import * as format from "./format.js";

const ORDERS = {
  uncertainty: "Least sure first",
  ood: "Most unusual first (OOD score)",
  diversity: "Most different from one another",
  random: "At random",
};

function Progress() {
  const { counts } = setup.value;
  const total = Math.max(1, counts.labels);
  return html`<div class="label-progress" role="group" aria-label="Labels so far">
    <span class="big">${format.count(counts.labels)}</span>
    <span class="hint">labels, ${format.count(counts.validation)} of them set aside for validation</span>
    <div class="split" role="img" aria-label="Labels by answer">
      ${answers().map((one, i) => {
        const n = counts.by_answer?.[one.name] ?? 0;
        return n > 0 && html`<span key=${one.name} class="split-part tone-${i % 8}" style=${{ flexGrow: n / total }} title=${`${one.title}: ${n}`}></span>`;
      })}
    </div>
    ${unsent.value.length > 0 && html`<span class="hint">${unsent.value.length} not sent yet</span>`}
  </div>`;
}

const Recent = () => html`<div class="recent" role="group" aria-label="Last labels">
  ${recent.value.map(
    (row) => html`<button key=${row} class="recent-one" aria-label="Back to this galaxy" onClick=${() => (cursor.value = { row, index: null })}>
      <${Picture} row=${row} size=${56} stretch=${0} />
      <span>${answerOf(row)?.title ?? "skipped"}</span>
    </button>`,
  )}
</div>`;

/** The pictures of the next galaxies are fetched while one looks at this one. */
const Ahead = () => html`<div class="ahead" aria-hidden="true">
  ${(queue.value ?? []).slice(0, 3).map((one) => html`<${Picture} key=${one.row} row=${one.row} size=${512} />`)}
</div>`;

function Stage() {
  const { row } = cursor.value;
  if (queue.value === null && !current.value) return html`<div class="stage"><span class="hint">Choosing what to label …</span></div>`;
  if (row === null || (!current.value && !labels.value.has(row))) {
    return html`<div class="empty">
      <p class="empty-title">Nothing is left to label.</p>
      <p>Every galaxy${filter.value.all.length ? " that the filter keeps" : ""} has a label or was skipped.</p>
      <button class="button" onClick=${() => beginAnew()}>Look again</button>
    </div>`;
  }
  const aside = current.value?.row === row && current.value.validation;
  return html`<div class="stage">
    <div class="stage-picture">
      <${Picture} key=${row} row=${row} size=${512} alt="The galaxy to label" />
      ${aside && html`<span class="aside" title="This one measures the model and does not teach it">for validation</span>`}
    </div>
  </div>`;
}

export function Label() {
  useEffect(() => (answers().length ? beginLabelling() : undefined), [answers().length]);
  if (!setup.value) return html`<div class="empty"><p class="hint">Reading the labels …</p></div>`;
  if (setup.value.refused) return html`<div class="empty"><p class="empty-title">It can't be labelled.</p><p>${setup.value.refused}</p></div>`;
  if (!answers().length || settingUp.value) return html`<${LabelSetup} />`;
  look.value;
  return html`<div class="label-view">
    <div class="view-tools">
      <label class="choice">
        <span>Queue</span>
        <select value=${order.value} onChange=${(event) => chooseOrder(event.target.value)}>
          ${setup.value.orders.map((name) => html`<option key=${name} value=${name}>${ORDERS[name] ?? name}</option>`)}
        </select>
      </label>
      <${ViewSwitch} /><${Stretch} />
      <button class="button small only-narrow" onClick=${() => (sheet.value = "galaxy")}>Learning</button>
      <button class="link push" onClick=${() => (settingUp.value = true)}>Change the question</button>
    </div>
    <h2 class="question">${setup.value.question || "What is it?"}</h2>
    <${Stage} />
    <div class="label-foot">
      ${cursor.value.row !== null && html`<${Answers} row=${cursor.value.row} large />`}
      <div class="buttons">
        <button class="button" onClick=${undo}><kbd>u</kbd> Undo</button>
        <button class="button" onClick=${skip}><kbd>s</kbd> Skip</button>
        <${Progress} />
      </div>
      <${Recent} />
    </div>
    ${catalogue.value.has.images && html`<${Ahead} />`}
  </div>`;
}
