// The map without its frame: points, camera, what is kept and what is hovered; draws itself once a frame when something changed.
import { signal } from "../vendor/ui.js";
import { hasWebGL, WebGLPoints } from "./webgl.js";
import { CanvasPoints } from "./canvas.js";
import { fromPixels, home, toPixels } from "./camera.js";
import { OUT, css, palette } from "./colours.js";
import { drawOverlay, inside } from "./overlay.js";
import { nearThumbs } from "./thumbs.js";

const NOWHERE = { scale: 1, x: 0, y: 0 }; // before there are points
const REACH = 14; // pixels from the pointer to a point

export class Scene {
  constructor(host, overlay) {
    this.host = host;
    this.overlay = overlay;
    this.given = null; // a camera, once one has moved
    this.size = { width: 0, height: 0 };
    this.lasso = [];
    this.hovered = signal(null);
    this.thumbs = signal([]);
    this.cloud = null;
  }

  /** The drawing by name: "webgl", "canvas", or whichever is quicker here. */
  async open(renderer) {
    const webgl = renderer === "webgl" || (renderer !== "canvas" && hasWebGL());
    try {
      this.points = webgl ? await WebGLPoints.open(this.host) : new CanvasPoints(this.host);
    } catch {
      this.points = new CanvasPoints(this.host); // the machine promised WebGL and does not keep it
    }
    this.host.dataset.renderer = this.points instanceof CanvasPoints ? "canvas" : "webgl";
  }

  setCloud(cloud) {
    this.cloud = cloud;
    this.points.setPoints(cloud);
  }

  /** `base`: a palette index a row; rows that are not in `kept` become grey. */
  paint({ base, kept, kind, dark }) {
    const { rows, n } = this.cloud;
    this.palette = palette(kind, dark);
    this.colours = new Uint8Array(n);
    for (let i = 0; i < n; i++) this.colours[i] = !kept || kept.has(rows[i]) ? base[rows[i]] : OUT;
    this.points.setColours(this.colours, this.palette);
    this.change();
  }

  colourOf = (i) => css(this.palette[this.colours[i]]);

  look(camera) {
    this.given = camera;
    this.change();
  }

  /** Where one looks: where one went, or at all of it. */
  get camera() {
    return this.given ?? (this.cloud ? home(this.cloud, this.size) : NOWHERE);
  }

  resize(width, height) {
    this.size = { width, height };
    this.change();
  }

  /** Draws with the next frame: all, or the overlay alone. */
  change({ points = true } = {}) {
    this.stale ||= points;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** What the overlay shows beside the points: {selected, current, axes, ink}; set by the view. */
  decorate(shown) {
    this.stale ||= shown.pictures !== this.shown?.pictures;
    this.shown = shown;
    this.change({ points: false });
  }

  draw() {
    const { camera, size, cloud, colours, shown } = this;
    if (!cloud || !colours || !shown || !size.width) return;
    if (this.stale) {
      this.points.draw(camera, size);
      this.thumbs.value = shown.pictures ? nearThumbs({ camera, size, cloud, shown: (i) => colours[i] !== OUT }) : [];
    }
    this.stale = false;
    const hovered = this.hovered.value?.i ?? null;
    const current = shown.current === null ? null : this.pointOf(shown.current);
    drawOverlay(this.overlay, { camera, size, cloud, lasso: this.lasso, hovered, ...shown, current });
  }

  /** Rows are in order, so that a row is found by halving. */
  pointOf(row) {
    const { rows } = this.cloud;
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle] < row) low = middle + 1;
      else high = middle;
    }
    return rows[low] === row ? low : null;
  }

  nearest(px, py) {
    const { camera, size, cloud } = this;
    if (!cloud) return null;
    const thumb = this.thumbs.value.find(({ x, y }) => Math.abs(x - px) < 30 && Math.abs(y - py) < 30);
    if (thumb) return thumb.i;
    const [left, bottom] = fromPixels(camera, size, px - REACH, py + REACH);
    const [right, top] = fromPixels(camera, size, px + REACH, py - REACH);
    let [best, least] = [null, REACH];
    cloud.within([left, bottom, right, top], (i) => {
      const [x, y] = toPixels(camera, size, cloud.x[i], cloud.y[i]);
      const far = Math.hypot(x - px, y - py) + (this.colours[i] === OUT ? 6 : 0);
      if (far < least) [best, least] = [i, far];
    });
    return best;
  }

  hover(px, py) {
    const i = px === null ? null : this.nearest(px, py);
    if (i === (this.hovered.value?.i ?? null)) return;
    this.hovered.value = i === null ? null : { i, row: this.cloud.rows[i], at: toPixels(this.camera, this.size, this.cloud.x[i], this.cloud.y[i]) };
    this.change({ points: false });
  }

  drawLasso(line) {
    this.lasso = line;
    this.change({ points: false });
  }

  /** The rows inside the lasso that the filter keeps. */
  endLasso() {
    const rows = inside(this.lasso, this.cloud, this.camera, this.size, (i) => this.colours[i] !== OUT);
    this.lasso = [];
    this.change({ points: false });
    return rows;
  }

  close() {
    cancelAnimationFrame(this.frame);
    this.points?.destroy();
  }
}
