// What lies over the points: the selected, axes, the lasso, the point under the pointer. Drawn on a canvas of its own.
import { fromPixels, toPixels, viewed } from "./camera.js";

const RINGS = 4000;
const MARKS = 30_000; // drawn of more: they cover one another

function nice(span, about) {
  const rough = span / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5, 10].find((step) => step * power >= rough) ?? 10);
}

function ticks(from, to, about) {
  const [low, high] = from < to ? [from, to] : [to, from];
  const step = nice(high - low || 1, about);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(Number(at.toPrecision(10)));
  return found;
}

export function drawOverlay(canvas, { camera, size, cloud, selected, hovered, current, lasso, axes, ink }) {
  const ratio = Math.min(devicePixelRatio, 2);
  canvas.width = Math.round(size.width * ratio);
  canvas.height = Math.round(size.height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  if (selected.size) marks(context, { camera, size, cloud, selected, ink });
  for (const [i, radius] of [[current, 9], [hovered, 7]]) {
    if (i !== null && i !== undefined) ring(context, toPixels(camera, size, cloud.x[i], cloud.y[i]), radius, ink);
  }
  if (axes) drawAxes(context, { camera, size, cloud, axes, ink });
  if (lasso.length > 1) drawLasso(context, lasso, ink);
}

function marks(context, { camera, size, cloud, selected, ink }) {
  const seen = [];
  cloud.within(viewed(camera, size), (i) => {
    if (selected.has(cloud.rows[i])) seen.push(i);
  });
  const few = seen.length <= RINGS;
  context.strokeStyle = ink.accent;
  context.fillStyle = ink.accent;
  context.lineWidth = 1.4;
  context.globalAlpha = few ? 1 : 0.5;
  const half = size.height / 2;
  for (let k = 0; k < seen.length; k += Math.ceil(seen.length / MARKS)) {
    const i = seen[k];
    const x = size.width / 2 + (cloud.x[i] * camera.scale + camera.x) * half;
    const y = half - (cloud.y[i] * camera.scale + camera.y) * half;
    if (few) {
      context.beginPath();
      context.arc(x, y, 4.5, 0, 2 * Math.PI);
      context.stroke();
    } else context.fillRect(x - 1, y - 1, 2, 2);
  }
  context.globalAlpha = 1;
}

function ring(context, [x, y], radius, ink) {
  context.strokeStyle = ink.text;
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

function drawAxes(context, { camera, size, cloud, axes, ink }) {
  const [left, bottom] = cloud.units(...fromPixels(camera, size, 0, size.height));
  const [right, top] = cloud.units(...fromPixels(camera, size, size.width, 0));
  context.font = `11px ${ink.font}`;
  context.fillStyle = ink.muted;
  context.strokeStyle = ink.line;
  context.lineWidth = 1;
  const place = (x, y) => toPixels(camera, size, (x - cloud.middle[0]) * cloud.scale[0], (y - cloud.middle[1]) * cloud.scale[1]);
  context.textAlign = "center";
  for (const at of ticks(left, right, size.width / 110)) {
    const [x] = place(at, bottom);
    context.fillText(String(at), x, size.height - 8);
    context.fillRect(x, size.height - 4, 1, 4);
  }
  context.textAlign = "left";
  for (const at of ticks(bottom, top, size.height / 80)) {
    const [, y] = place(left, at);
    if (y < size.height - 30) context.fillText(String(at), 8, y + 4);
    context.fillRect(0, y, 4, 1);
  }
  context.fillStyle = ink.text;
  context.textAlign = "right";
  context.fillText(axes.x, size.width - 10, size.height - 24);
  context.save();
  context.translate(20, 12);
  context.textAlign = "left";
  context.fillText(axes.y, 0, 4);
  context.restore();
}

function drawLasso(context, lasso, ink) {
  context.beginPath();
  lasso.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
  context.fillStyle = ink.accent;
  context.globalAlpha = 0.12;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = ink.accent;
  context.lineWidth = 1.5;
  context.stroke();
}

/** The points inside a lasso: it is filled on a canvas that is not shown, and each point looks at its pixel. */
export function inside(lasso, cloud, camera, size, wanted) {
  const canvas = new OffscreenCanvas(Math.max(1, Math.ceil(size.width)), Math.max(1, Math.ceil(size.height)));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.beginPath();
  lasso.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.fill("evenodd");
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const xs = lasso.map(([x]) => x);
  const ys = lasso.map(([, y]) => y);
  const [left, bottom] = fromPixels(camera, size, Math.min(...xs), Math.max(...ys));
  const [right, top] = fromPixels(camera, size, Math.max(...xs), Math.min(...ys));
  const found = [];
  const half = size.height / 2;
  cloud.within([left, bottom, right, top], (i) => {
    const x = Math.floor(size.width / 2 + (cloud.x[i] * camera.scale + camera.x) * half);
    const y = Math.floor(half - (cloud.y[i] * camera.scale + camera.y) * half);
    if (data[4 * (y * canvas.width + x) + 3] > 127 && wanted(i)) found.push(cloud.rows[i]);
  });
  return found;
}
