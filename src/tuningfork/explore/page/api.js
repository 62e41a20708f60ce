// Requests to the server. While it is gone they wait and are sent again; what it refuses is an error in one line.
import { signal } from "./vendor/ui.js";

/** "here", "gone" (no answer), or "anew" (started again: its token is another). */
export const server = signal("here");

/** Rises each time the server comes back, so that pictures that failed are asked for again. */
export const generation = signal(0);

const PAUSE = 1500;
let returning = null;

/** What the server refused, with the status that it answered: 400 is what was sent, all else may be mended. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function poll() {
  for (;;) {
    await wait(PAUSE);
    try {
      const answer = await fetch("api/catalogue", { method: "GET", cache: "no-store" });
      if (answer.ok) break;
      server.value = answer.status === 403 ? "anew" : "gone";
    } catch {
      server.value = "gone";
    }
  }
  returning = null;
  generation.value += 1;
  server.value = "here";
}

function comesBack(why) {
  server.value = why;
  returning ??= poll();
  return returning;
}

async function send(path, options = {}) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(path, { cache: "no-store", ...options });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      await comesBack("gone");
      continue;
    }
    if (answer.ok) return answer;
    if (answer.status === 403) {
      await comesBack("anew");
      continue;
    }
    throw new Refused(await reason(answer), answer.status);
  }
}

async function reason(answer) {
  try {
    return (await answer.json()).error || `the server answered ${answer.status}`;
  } catch {
    return `the server answered ${answer.status}`;
  }
}

const posted = (body, signal) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
  signal,
});

export const get = async (path, signal) => (await send(path, { signal })).json();
export const post = async (path, body, signal) => (await send(path, posted(body, signal))).json();
export const postForBuffer = async (path, body, signal) => (await send(path, posted(body, signal))).arrayBuffer();
export const postForFile = async (path, body) => send(path, posted(body));

/** Sends row numbers as little-endian uint32; a selection of a million is 4 MB so. */
export async function postRows(path, rows) {
  const headers = { "Content-Type": "application/octet-stream" };
  return (await send(path, { method: "POST", headers, body: rows })).json();
}

/** The address of a galaxy's picture. */
export function picture(row, options) {
  const asked = new URLSearchParams(Object.entries(options).filter(([, value]) => value !== null && value !== undefined));
  if (generation.value) asked.set("again", generation.value);
  return `image/${row}?${asked}`;
}
