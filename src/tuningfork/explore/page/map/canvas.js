// Draws the points on a 2-D canvas, where there is no WebGL: discs where they are few, their density where they are many.
import { OUT } from "./colours.js";
import { viewed } from "./camera.js";

const FEW = 5000;
const AT_ONCE = 120_000; // points drawn while one moves
const REST = 140; // milliseconds

export class CanvasPoints {
  constructor(host) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "map-points";
    host.append(this.canvas);
    this.context = this.canvas.getContext("2d");
  }

  setPoints(cloud) {
    this.cloud = cloud;
  }

  setColours(colours, palette) {
    this.colours = colours;
    this.palette = palette;
    this.flat = Uint8Array.from(palette.flat());
  }

  /** While one moves, a part of many points is drawn; all of them when one rests. */
  draw(camera, size) {
    clearTimeout(this.later);
    const every = Math.ceil((this.cloud?.n ?? 0) / AT_ONCE);
    this.#draw(camera, size, every);
    if (every > 1) this.later = setTimeout(() => this.#draw(camera, size, 1), REST);
  }

  #draw(camera, size, every) {
    if (!this.cloud || !this.colours || !size.width) return;
    const ratio = Math.min(devicePixelRatio, 2);
    this.canvas.width = Math.round(size.width * ratio);
    this.canvas.height = Math.round(size.height * ratio);
    const seen = [];
    const box = viewed(camera, size);
    this.cloud.within(box, (i) => (seen.length <= FEW ? seen.push(i) : false));
    if (seen.length <= FEW) this.#discs(seen, camera, size, ratio);
    else this.#density(camera, ratio, every);
  }

  #discs(seen, camera, size, ratio) {
    const { context, cloud, colours } = this;
    const radius = Math.min(5, Math.max(2, 90 / Math.sqrt(seen.length + 1))) * ratio;
    const half = this.canvas.height / 2;
    seen.sort((a, b) => (colours[a] === OUT ? 0 : 1) - (colours[b] === OUT ? 0 : 1));
    for (const i of seen) {
      const [r, g, b] = this.palette[colours[i]];
      context.fillStyle = `rgba(${r},${g},${b},${colours[i] === OUT ? 0.5 : 0.85})`;
      context.beginPath();
      const x = this.canvas.width / 2 + (cloud.x[i] * camera.scale + camera.x) * half;
      const y = half - (cloud.y[i] * camera.scale + camera.y) * half;
      context.arc(x, y, colours[i] === OUT ? radius * 0.7 : radius, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** Each pixel has the mean colour of its points, and is the fuller the more there are; those left out lie beneath. */
  #density({ scale, x, y }, ratio, every) {
    const { width, height } = this.canvas;
    const { colours, flat } = this;
    const { n, x: xs, y: ys } = this.cloud;
    const [counts, out] = [new Uint32Array(width * height), new Uint8Array(width * height)];
    const sums = new Uint32Array(width * height * 3);
    const half = height / 2;
    const wide = ratio > 1 || n / every < 100_000 ? 2 : 1;
    for (let i = 0; i < n; i += every) {
      const px = (width / 2 + (xs[i] * scale + x) * half) | 0;
      const py = (half - (ys[i] * scale + y) * half) | 0;
      if (px < 0 || py < 0 || px >= width - 1 || py >= height - 1) continue;
      const colour = 3 * colours[i];
      for (let k = 0; k < wide * wide; k++) {
        const at = (py + (k >> 1)) * width + px + (k & 1);
        if (colour === 3 * OUT) out[at] = 1;
        else {
          counts[at] += 1;
          sums[3 * at] += flat[colour];
          sums[3 * at + 1] += flat[colour + 1];
          sums[3 * at + 2] += flat[colour + 2];
        }
      }
    }
    this.#put(counts, out, sums, every);
  }

  #put(counts, out, sums, every) {
    const image = this.context.createImageData(this.canvas.width, this.canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const packed = (r, g, b, alpha) => ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
    const grey = packed(...this.palette[OUT], 150);
    const alphas = Uint8Array.from({ length: 64 }, (_, n) => 255 * (1 - Math.exp(-0.9 * Math.sqrt(n * every))));
    for (let at = 0; at < counts.length; at++) {
      const n = counts[at];
      if (n) pixels[at] = packed(sums[3 * at] / n, sums[3 * at + 1] / n, sums[3 * at + 2] / n, alphas[Math.min(n, 63)]);
      else if (out[at]) pixels[at] = grey;
    }
    this.context.putImageData(image, 0, 0);
  }

  destroy() {
    clearTimeout(this.later);
    this.canvas.remove();
  }
}
