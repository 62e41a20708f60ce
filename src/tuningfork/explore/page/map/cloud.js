// The points of a map: fetched, brought to a common size, and sorted into cells so that what lies somewhere is found at once.
import { postForBuffer } from "../api.js";

const CELLS = 256;
const clamp = (at) => Math.min(Math.max(Math.floor(at), 0), CELLS - 1);

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
    this.x = this.#brought(x, 0);
    this.y = this.#brought(y, 1);
    this.#sort();
  }

  /** A place of the map in the units of its columns. */
  units(x, y) {
    return [x / this.scale[0] + this.middle[0], y / this.scale[1] + this.middle[1]];
  }

  #brought(values, axis) {
    const found = new Float32Array(this.n);
    for (let i = 0; i < this.n; i++) found[i] = (values[this.rows[i]] - this.middle[axis]) * this.scale[axis];
    return found;
  }

  #column(x) {
    return clamp(((x - this.box[0]) / this.box[2]) * CELLS);
  }

  #line(y) {
    return clamp(((y - this.box[1]) / this.box[3]) * CELLS);
  }

  #sort() {
    const [left, right] = extent(this.x);
    const [bottom, top] = extent(this.y);
    this.box = [left, bottom, right - left, top - bottom];
    const cells = new Uint16Array(this.n);
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    for (let i = 0; i < this.n; i++) {
      cells[i] = this.#line(this.y[i]) * CELLS + this.#column(this.x[i]);
      this.starts[cells[i] + 1] += 1;
    }
    for (let cell = 0; cell < CELLS * CELLS; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.sorted = new Uint32Array(this.n);
    for (let i = 0; i < this.n; i++) this.sorted[next[cells[i]]++] = i;
  }

  /** Calls `found(i)` for each point in a box, until it gives false. */
  within([left, bottom, right, top], found) {
    const [first, last] = [this.#column(left), this.#column(right)];
    const [low, high] = [this.#line(bottom), this.#line(top)];
    const { x, y, sorted } = this;
    for (let line = low; line <= high; line++) {
      const end = this.starts[line * CELLS + last + 1];
      for (let at = this.starts[line * CELLS + first]; at < end; at++) {
        const i = sorted[at];
        if (x[i] >= left && x[i] <= right && y[i] >= bottom && y[i] <= top && found(i) === false) return;
      }
    }
  }
}
