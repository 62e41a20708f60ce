// The way down the decision tree: question under question, each answer's fraction with its interval as a bar and a whisker.
import { html } from "./vendor/ui.js";
import { catalogue } from "./state.js";
import * as format from "./format.js";

function Bar({ answer }) {
  const { fraction, low, high } = answer;
  const known = fraction !== null && fraction !== undefined;
  const sure = low !== null && low !== undefined && high !== null && high !== undefined;
  const said = known ? `${format.percent(fraction)}${sure ? `, ${format.percent(low)} to ${format.percent(high)}` : ""}` : "not known";
  const at = (share) => 100 * Math.min(Math.max(share, 0), 1);
  return html`<svg class="tree-bar" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label=${said}>
    <title>${said}</title>
    <rect class="tree-track" width="100" height="12" />
    ${known && html`<rect class="tree-fill" width=${at(fraction)} height="12" />`}
    ${sure && html`<path class="tree-whisker" d="M${at(low)} 6H${at(high)}M${at(low)} 2.5v7M${at(high)} 2.500v7" />`}
  </svg>`;
}

function Question({ step }) {
  const { title, question, answers, chosen, reached } = step;
  const rarely = reached !== null && reached !== undefined && reached < 0.999;
  return html`<li class="tree-step">
    <div class="tree-question">
      <span>${title || question}</span>
      ${rarely && html`<span class="tree-reached" title="Share of the volunteers who would be asked">asked of ${format.percent(reached)}</span>`}
    </div>
    <div class="tree-answers" role="list">
      ${answers.map(
        (answer, i) => html`<div key=${answer.column} role="listitem" class="tree-answer ${i === chosen ? "chosen" : ""}">
          <span class="tree-name" title=${answer.title}>${answer.title}</span>
          <${Bar} answer=${answer} />
          <span class="tree-value">${answer.fraction === null || answer.fraction === undefined ? "–" : answer.fraction.toFixed(2)}</span>
        </div>`,
      )}
    </div>
  </li>`;
}

/** Questions in the order in which the schema puts them. */
function ordered(path) {
  const { questions } = catalogue.value;
  const place = (step) => questions.findIndex((one) => one.schema === step.schema && one.name === step.question);
  return [...path].sort((a, b) => place(a) - place(b));
}

export function Tree({ path }) {
  if (!path?.length) return null;
  const unsure = path.some((step) => step.answers.some((answer) => answer.low !== null && answer.low !== undefined));
  return html`<section>
    <h3>What the model says</h3>
    <ol class="tree">
      ${ordered(path).map((step) => html`<${Question} key=${`${step.title} ${step.answers[0]?.column}`} step=${step} />`)}
    </ol>
    ${unsure && html`<p class="hint">A bar is the fraction, its whisker the interval.</p>`}
  </section>`;
}
