// The points of a map: fetched, brought to a common size, and sorted into cells so that what lies somewhere is found at once.
import { postForBuffer } from "../api.js";

const CELLS = 256;

/** Reads the server's answer: n, then x, y and colour as float32. */
export async function fetchCloud(asked, stop) {
  const buffer = await postForBuffer("api/points", asked, stop);
  const n = new DataView(buffer).getUint32(0, true);
  const part = (i) => new Float32Array(buffer, 4 + 4 * n * i, n);
  return { n, x: part(0), y: part(1), colour: asked.colour === null ? null : part(2) };
}

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low < high ? [low, high] : Number.isFinite(low) ? [low - 0.5, low + 0.5] : [0, 1];
}

/** Points between -1 and 1 in y; `equal`: both axes have the same scale; `backwards`: x grows to the left. */
export class Cloud {
  constructor({ n, x, y }, { equal, backwards, aspect }) {
    const [left, right] = extent(x);
    const [bottom, top] = extent(y);
    const share = 2 / Math.max(right - left, top - bottom);
    this.scale = equal ? [share, share] : [(2 * aspect) / (right - left), 2 / (top - bottom)];
    if (backwards) this.scale[0] *= -1;
    this.middle = [(left + right) / 2, (bottom + top) / 2];
    const rows = new Uint32Array(n);
    let known = 0;
    for (let row = 0; row < n; row++) if (Number.isFinite(x[row]) && Number.isFinite(y[row])) rows[known++] = row;
    this.rows = rows.subarray(0, known); // which row each point is
    this.n = known;
    this.x = Float32Array.from(this.rows, (row) => (x[row] - this.middle[0]) * this.scale[0]);
    this.y = Float32Array.from(this.rows, (row) => (y[row] - this.middle[1]) * this.scale[1]);
    this.#sort();
  }

  /** A place of the map in the units of its columns. */
  units(x, y) {
    return [x / this.scale[0] + this.middle[0], y / this.scale[1] + this.middle[1]];
  }

  #cell(x, y) {
    const [left, bottom, width, height] = this.box;
    const clamp = (at) => Math.min(Math.max(Math.floor(at * CELLS), 0), CELLS - 1);
    return [clamp((x - left) / width), clamp((y - bottom) / height)];
  }

  #sort() {
    const [left, right] = extent(this.x);
    const [bottom, top] = extent(this.y);
    this.box = [left, bottom, right - left, top - bottom];
    const cells = new Uint16Array(this.n);
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    for (let i = 0; i < this.n; i++) {
      const [column, line] = this.#cell(this.x[i], this.y[i]);
      cells[i] = line * CELLS + column;
      this.starts[cells[i] + 1] += 1;
    }
    for (let cell = 0; cell < CELLS * CELLS; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.sorted = new Uint32Array(this.n);
    for (let i = 0; i < this.n; i++) this.sorted[next[cells[i]]++] = i;
  }

  /** Calls `found(i)` for each point in a box, until it gives false. */
  within([left, bottom, right, top], found) {
    const [first, low] = this.#cell(left, bottom);
    const [last, high] = this.#cell(right, top);
    for (let line = low; line <= high; line++) {
      const end = this.starts[line * CELLS + last + 1];
      for (let at = this.starts[line * CELLS + first]; at < end; at++) {
        const i = this.sorted[at];
        const [x, y] = [this.x[i], this.y[i]];
        if (x >= left && x <= right && y >= bottom && y <= top && found(i) === false) return;
      }
    }
  }
}
