// Where one looks: a scale and a shift, the same for both ways of drawing. A scale of 1 shows -1 to 1 from bottom to top.

const MARGIN = 0.9;

/** All of a cloud in view, whatever the shape of the screen. */
export function home({ box: [left, bottom, across, up] }, { width, height }) {
  const scale = MARGIN * Math.min(2 / up, (2 * width) / (height || 1) / across);
  return { scale, x: -(left + across / 2) * scale, y: -(bottom + up / 2) * scale };
}

const LEAST = 0.1;
const MOST = 4000;

/** A point of the map in pixels. */
export const toPixels = ({ scale, x, y }, { width, height }, px, py) => [
  width / 2 + ((px * scale + x) * height) / 2,
  height / 2 - ((py * scale + y) * height) / 2,
];

export const fromPixels = ({ scale, x, y }, { width, height }, px, py) => [
  (((px - width / 2) * 2) / height - x) / scale,
  (((height / 2 - py) * 2) / height - y) / scale,
];

/** What is in view: [left, bottom, right, top]. */
export function viewed(camera, size) {
  const [left, bottom] = fromPixels(camera, size, 0, size.height);
  const [right, top] = fromPixels(camera, size, size.width, 0);
  return [left, bottom, right, top];
}

export const moved = (camera, { height }, dx, dy) => ({ ...camera, x: camera.x + (2 * dx) / height, y: camera.y - (2 * dy) / height });

/** Nearer or farther by a factor, with the place under the pointer kept where it is. */
export function zoomed(camera, size, factor, px, py) {
  const scale = Math.min(Math.max(camera.scale * factor, LEAST), MOST);
  const [x, y] = fromPixels(camera, size, px, py);
  return { scale, x: camera.x + x * (camera.scale - scale), y: camera.y + y * (camera.scale - scale) };
}
