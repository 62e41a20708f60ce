// Draws the points on a 2-D canvas, where there is no WebGL: discs where they are few, their density where they are many.
import { OUT } from "./colours.js";
import { viewed } from "./camera.js";

const FEW = 5000;

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
  }

  draw(camera, size) {
    if (!this.cloud || !this.colours || !size.width) return;
    const ratio = Math.min(devicePixelRatio, 2);
    this.canvas.width = Math.round(size.width * ratio);
    this.canvas.height = Math.round(size.height * ratio);
    const seen = [];
    const box = viewed(camera, size);
    this.cloud.within(box, (i) => (seen.length <= FEW ? seen.push(i) : false));
    if (seen.length <= FEW) this.#discs(seen, camera, size, ratio);
    else this.#density(camera, ratio);
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
  #density({ scale, x, y }, ratio) {
    const { width, height } = this.canvas;
    const { cloud, colours, palette } = this;
    const [counts, out] = [new Uint32Array(width * height), new Uint8Array(width * height)];
    const sums = new Float32Array(width * height * 3);
    const half = height / 2;
    const wide = ratio > 1 || cloud.n < 100_000 ? 2 : 1;
    for (let i = 0; i < cloud.n; i++) {
      const px = Math.floor(width / 2 + (cloud.x[i] * scale + x) * half);
      const py = Math.floor(half - (cloud.y[i] * scale + y) * half);
      if (px < 0 || py < 0 || px >= width - 1 || py >= height - 1) continue;
      const [r, g, b] = palette[colours[i]];
      for (let down = 0; down < wide; down++) {
        for (let right = 0; right < wide; right++) {
          const at = (py + down) * width + px + right;
          if (colours[i] === OUT) {
            out[at] = 1;
            continue;
          }
          counts[at] += 1;
          sums[3 * at] += r;
          sums[3 * at + 1] += g;
          sums[3 * at + 2] += b;
        }
      }
    }
    const image = this.context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const packed = (r, g, b, alpha) => ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
    const grey = packed(...palette[OUT], 150);
    for (let at = 0; at < counts.length; at++) {
      const n = counts[at];
      if (n) pixels[at] = packed(sums[3 * at] / n, sums[3 * at + 1] / n, sums[3 * at + 2] / n, 255 * (1 - Math.exp(-0.9 * Math.sqrt(n))));
      else if (out[at]) pixels[at] = grey;
    }
    this.context.putImageData(image, 0, 0);
  }

  destroy() {
    this.canvas.remove();
  }
}
