// Near enough, points become thumbnails: one for each free place, so that none hides another.
import { html } from "../vendor/ui.js";
import { Picture } from "../thumb.js";
import { toPixels, viewed } from "./camera.js";

export const SIDE = 60;
const MOST_IN_VIEW = 450;
const SHARE = 0.18; // of the points in view that must find a free place, or points say more than pictures

/** Which points become pictures: [] where too many are in view. */
export function nearThumbs({ camera, size, cloud, shown }) {
  const seen = [];
  cloud.within(viewed(camera, size), (i) => {
    if (shown(i)) seen.push(i);
    return seen.length <= MOST_IN_VIEW;
  });
  if (seen.length > MOST_IN_VIEW) return [];
  const taken = [];
  const free = (x, y) => taken.every(([ax, ay]) => Math.abs(ax - x) >= SIDE || Math.abs(ay - y) >= SIDE);
  const placed = seen.flatMap((i) => {
    const [x, y] = toPixels(camera, size, cloud.x[i], cloud.y[i]);
    if (x < SIDE / 2 || y < SIDE / 2 || x > size.width - SIDE / 2 || y > size.height - SIDE / 2 || !free(x, y)) return [];
    taken.push([x, y]);
    return [{ row: cloud.rows[i], i, x, y }];
  });
  return placed.length >= SHARE * seen.length ? placed : [];
}

export const Thumbs = ({ thumbs, colourOf, chosen }) => html`<div class="map-thumbs" aria-hidden="true">
  ${thumbs.map(
    ({ row, i, x, y }) => html`<div
      key=${row}
      class=${chosen(row) ? "map-thumb selected" : "map-thumb"}
      style=${{ transform: `translate(${x - SIDE / 2}px, ${y - SIDE / 2}px)`, borderColor: colourOf(i) }}
    >
      <${Picture} row=${row} size=${SIDE} />
    </div>`,
  )}
</div>`;
