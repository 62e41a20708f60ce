// Copies a text to the clipboard, and says so.
import { say } from "./notices.js";

export async function copy(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what}: ${text.length > 60 ? `${text.slice(0, 57)}…` : text}`);
  } catch {
    say("The browser does not let the page copy. Select the text and copy it.", "wrong");
  }
}
