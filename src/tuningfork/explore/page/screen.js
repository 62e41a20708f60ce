// What is known of the screen: is it narrow, is it dark, is motion unwelcome; and the switch between light and dark.
import { computed, effect, signal } from "./vendor/ui.js";

function watched(query) {
  const media = matchMedia(query);
  const now = signal(media.matches);
  media.addEventListener("change", () => (now.value = media.matches));
  return now;
}

export const narrow = watched("(max-width: 900px)");
export const still = watched("(prefers-reduced-motion: reduce)");
const systemDark = watched("(prefers-color-scheme: dark)");

const KEY = "tuningfork-theme";

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off
  }
}

/** "light", "dark", or null: as the system has it. */
const chosen = signal(remembered());

export const dark = computed(() => (chosen.value ? chosen.value === "dark" : systemDark.value));

export function switchTheme() {
  chosen.value = dark.value ? "light" : "dark";
  try {
    localStorage.setItem(KEY, chosen.value);
  } catch {
    // it holds for this page alone
  }
}

export function followTheme() {
  effect(() => {
    document.documentElement.dataset.theme = dark.value ? "dark" : "light";
  });
}
