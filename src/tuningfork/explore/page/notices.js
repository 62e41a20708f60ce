// Short notices at the foot of the page: what was done, or what went wrong, in plain words.
import { html, signal } from "./vendor/ui.js";

const notices = signal([]);
let last = 0;

export function say(text, kind = "done") {
  const notice = { id: ++last, text: String(text), kind };
  notices.value = [...notices.value.slice(-2), notice];
  setTimeout(() => dismiss(notice.id), kind === "wrong" ? 9000 : 3500);
}

const dismiss = (id) => {
  notices.value = notices.value.filter((notice) => notice.id !== id);
};

/** Runs what a button asks for; an error becomes a notice. */
export async function tried(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, "wrong");
    return undefined;
  }
}

export const Notices = () => html`
  <div class="notices" role="status" aria-live="polite">
    ${notices.value.map(
      (notice) => html`<p key=${notice.id} class="notice ${notice.kind}">
        <span>${notice.text}</span>
        <button class="plain" aria-label="Dismiss" onClick=${() => dismiss(notice.id)}>×</button>
      </p>`,
    )}
  </div>
`;
