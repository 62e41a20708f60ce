// The large picture of a galaxy: the square the model sees or the whole frame, bands apart, stretched, with Grad-CAM over it.
import { html, signal, useEffect, useState } from "./vendor/ui.js";
import { catalogue, column, dialog, look } from "./state.js";
import { Picture } from "./thumb.js";
import { Icon } from "./icons.js";
import * as format from "./format.js";

/** The answer whose Grad-CAM is shown: {row, answer}, or null. */
const gradcam = signal(null);
const band = signal(null);

export const ViewSwitch = () => html`<div class="segments" role="group" aria-label="What is shown of a galaxy">
  ${[
    ["model", "Model view", "The square that the model looks at"],
    ["frame", "Whole frame", "All of the image"],
  ].map(
    ([name, title, about]) => html`<button
      key=${name}
      aria-pressed=${look.value.view === name}
      title=${about}
      onClick=${() => (look.value = { ...look.value, view: name })}
    >
      ${title}
    </button>`,
  )}
</div>`;

export const Stretch = () => html`<label class="slider" title="Contrast of faint light">
  <span>Stretch</span>
  <input
    type="range"
    min="-1"
    max="1"
    step="0.1"
    value=${look.value.stretch}
    onInput=${(event) => (look.value = { ...look.value, stretch: Number(event.target.value) })}
    onDblClick=${() => (look.value = { ...look.value, stretch: 0 })}
  />
</label>`;

const Bands = ({ row, bands, names }) => html`<div class="bands" role="group" aria-label="Bands">
  ${[null, ...Array.from({ length: bands }, (_, i) => i)].map(
    (one) => html`<button
      key=${one}
      class="band"
      aria-pressed=${band.value === one}
      aria-label=${one === null ? "All bands" : `Band ${names[one]}`}
      onClick=${() => (band.value = one)}
    >
      <${Picture} row=${row} size=${64} band=${one} />
      <span>${one === null ? "all" : names[one]}</span>
    </button>`,
  )}
</div>`;

const named = (answer) => {
  const found = column(answer.column);
  return found ? format.titleOf(found) : answer.title;
};

function GradCam({ row }) {
  const { model, questions, has } = catalogue.value;
  if (!has.model || !has.images || !model) return null;
  const chosen = gradcam.value?.row === row ? gradcam.value.answer : "";
  const choose = (event) => (gradcam.value = event.target.value ? { row, answer: event.target.value } : null);
  return html`<label class="choice">
    <span>Grad-CAM</span>
    <select value=${chosen} onChange=${choose}>
      <option value="">off: what an answer rests on</option>
      ${questions.map(
        (question) => html`<optgroup key=${`${question.schema} ${question.name}`} label=${question.question || question.title}>
          ${question.answers.map((answer) => html`<option key=${answer.column} value=${answer.column}>${named(answer)}</option>`)}
        </optgroup>`,
      )}
    </select>
  </label>`;
}

/** Its picture on demand takes a second or two: it is said. */
function Heat({ row, answer }) {
  const [state, setState] = useState("waiting");
  const source = `api/gradcam/${row}?${new URLSearchParams({ answer })}`;
  return html`<img class="heat ${state}" title="Point at it to see the galaxy beneath" src=${source} alt="Grad-CAM" onLoad=${() => setState("here")} onError=${() => setState("failed")} />
    ${state !== "here" &&
    html`<span class="over">${state === "waiting" ? "Working out what the answer rests on …" : "Grad-CAM can't be made of this galaxy."}</span>`}`;
}

export function LargePicture({ galaxy }) {
  const { row, id, bands, band_names: names } = galaxy;
  useEffect(() => {
    if (band.value !== null && band.value >= bands) band.value = null;
  }, [row]);
  if (!catalogue.value.has.images) {
    return html`<p class="hint">There are no images: start the explorer with <code>--images FOLDER</code> to see galaxies.</p>`;
  }
  const heat = gradcam.value?.row === row ? gradcam.value.answer : null;
  return html`<figure class="large">
    <div class="large-frame">
      <${Picture} key=${row} row=${row} size=${384} alt="Picture of ${id}" band=${band.value} view=${heat ? "model" : null} />
      ${heat && html`<${Heat} key=${`${row} ${heat}`} row=${row} answer=${heat} />`}
      <button class="icon-button enlarge" aria-label="Enlarge" title="Enlarge (f)" onClick=${() => (dialog.value = "picture")}>
        <${Icon} name="whole" />
      </button>
    </div>
    <figcaption class="large-tools">
      <${ViewSwitch} /><${Stretch} />
      ${bands > 1 && html`<${Bands} row=${row} bands=${bands} names=${names} />`}
      <${GradCam} row=${row} />
    </figcaption>
  </figure>`;
}

/** The same over the whole page. */
export const Enlarged = ({ galaxy }) => html`<div class="enlarged">
  <${Picture} key=${galaxy.row} row=${galaxy.row} size=${512} alt="Picture of ${galaxy.id}" band=${band.value} />
  <div class="enlarged-tools"><strong>${galaxy.id}</strong><${ViewSwitch} /><${Stretch} /></div>
</div>`;
