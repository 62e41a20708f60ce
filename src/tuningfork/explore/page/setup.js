// A question of one's own: a name and its classes, made in the page.
import { html, signal, useEffect, useState } from "./vendor/ui.js";
import { answers, define, readSetup, setup } from "./labels.js";
import { beginAnew, order } from "./queue.js";
import { say, tried } from "./notices.js";

const MOST = 9;
export const settingUp = signal(false);

export function LabelSetup() {
  const known = answers();
  const [name, setName] = useState(setup.value.schema ?? "");
  const [classes, setClasses] = useState(known.length ? known.map((one) => one.title) : ["", ""]);
  const [wrong, setWrong] = useState("");
  useEffect(() => {
    settingUp.value = true; // it stays, though another tab may make a question meanwhile
  }, []);
  const change = (i, text) => setClasses(classes.map((one, k) => (k === i ? text : one)));
  const save = async (event) => {
    event.preventDefault();
    const given = classes.map((one) => one.trim()).filter(Boolean);
    if (given.length < 2) return setWrong("Name two classes at least: what it is, and what it is not.");
    if (new Set(given).size < given.length) return setWrong("Two classes have the same name.");
    try {
      await define(name.trim() || "labels", given);
      settingUp.value = false;
      setWrong("");
      if (order.value) beginAnew();
      return say("The question is set.");
    } catch (error) {
      return setWrong(error.message);
    }
  };
  const others = setup.value.schemas.filter((one) => one !== setup.value.schema);
  const goOn = (one) =>
    tried(async () => {
      await readSetup(one);
      settingUp.value = false;
      if (order.value) beginAnew();
    });
  return html`<form class="setup" onSubmit=${save}>
    <h2>What do you want to label?</h2>
    <p class="hint">
      Make a question of your own: a name, and the classes that a galaxy may be. Each gets a key, 1 to 9. Labels are kept in${" "}
      <code>${setup.value.journal}</code>, one in five is set aside at random to measure what is learned.
    </p>
    <label class="form-row">
      <span>Name</span>
      <input class="field" value=${name} placeholder="rings" maxlength="60" onInput=${(event) => setName(event.target.value)} />
    </label>
    <fieldset>
      <legend>Classes</legend>
      ${classes.map(
        (one, i) => html`<div class="class-row" key=${i}>
          <kbd>${i + 1}</kbd>
          <input
            class="field"
            value=${one}
            maxlength="60"
            placeholder=${["ring", "no ring", "can’t tell"][i] ?? "another class"}
            aria-label="Class ${i + 1}"
            onInput=${(event) => change(i, event.target.value)}
          />
          <button
            type="button"
            class="plain"
            aria-label="Take class ${i + 1} away"
            disabled=${classes.length <= 2}
            onClick=${() => setClasses(classes.filter((_, k) => k !== i))}
          >
            ×
          </button>
        </div>`,
      )}
      <button type="button" class="link" disabled=${classes.length >= MOST} onClick=${() => setClasses([...classes, ""])}>Add a class</button>
    </fieldset>
    ${others.length > 0 &&
    html`<p class="hint">
      Or go on with: ${others.map((one) => html`<button type="button" class="link" key=${one} onClick=${() => goOn(one)}>${one}</button> `)}
    </p>`}
    ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
    <div class="buttons">
      <button class="button primary">Begin to label</button>
      ${known.length > 0 && html`<button type="button" class="button" onClick=${() => (settingUp.value = false)}>Cancel</button>`}
    </div>
  </form>`;
}
