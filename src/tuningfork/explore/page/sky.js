// The galaxy's place on the sky: an all-sky map (Aitoff), drawn here, with the catalogue's galaxies behind it.
import { html, signal } from "./vendor/ui.js";
import { postForBuffer } from "./api.js";
import { catalogue } from "./state.js";
import { tried } from "./notices.js";
import { copy } from "./copy.js";
import { Icon } from "./icons.js";
import * as format from "./format.js";

const WIDTH = 320;
const HEIGHT = 164;
const SCALE = WIDTH / 2 / (Math.PI + 0.06);
const MOST = 2000;
const RAD = Math.PI / 180;

/** Right ascension grows to the left, as the sky is seen; 12 h are in the middle. */
function aitoff(ra, dec) {
  const longitude = (180 - (((ra % 360) + 360) % 360)) * RAD;
  const latitude = dec * RAD;
  const a = Math.acos(Math.cos(latitude) * Math.cos(longitude / 2)) || 1e-9;
  const over = Math.sin(a) / a;
  const x = (2 * Math.cos(latitude) * Math.sin(longitude / 2)) / over;
  const y = Math.sin(latitude) / over;
  return [WIDTH / 2 + x * SCALE, HEIGHT / 2 - y * SCALE];
}

function line(points) {
  return points.map(([ra, dec], i) => `${i ? "L" : "M"}${aitoff(ra, dec).map((at) => at.toFixed(1)).join(" ")}`).join("");
}

const steps = (from, to, by) => Array.from({ length: Math.round((to - from) / by) + 1 }, (_, i) => from + i * by);
const meridian = (ra) => line(steps(-90, 90, 6).map((dec) => [ra, dec]));
const parallel = (dec) => line(steps(0, 359.99, 359.99 / 60).map((ra) => [ra, dec]));
const RIM = meridian(0) + meridian(359.99);
const GRATICULE = steps(60, 300, 60).map(meridian).join("") + [-60, -30, 0, 30, 60].map(parallel).join("");

/** Dots for the catalogue's galaxies (an even share of them where there are many), fetched once. */
const others = signal(null);
let begun = false;

function fetchOthers() {
  if (begun) return;
  begun = true;
  const columns = catalogue.value.columns.filter((one) => one.role === "position");
  const x = columns.find((one) => one.name === "ra");
  const y = columns.find((one) => one.name === "dec");
  if (!x || !y) return;
  tried(async () => {
    const buffer = await postForBuffer("api/points", { x: x.name, y: y.name, colour: null });
    const n = new DataView(buffer).getUint32(0, true);
    const ra = new Float32Array(buffer, 4, n);
    const dec = new Float32Array(buffer, 4 + 4 * n, n);
    let path = "";
    for (let i = 0; i < n; i += Math.max(1, Math.ceil(n / MOST))) {
      if (Number.isFinite(ra[i]) && Number.isFinite(dec[i])) path += `M${aitoff(ra[i], dec[i]).map((at) => at.toFixed(1)).join(" ")}h0`;
    }
    others.value = path;
  });
}

export function Sky({ ra, dec }) {
  if (ra === null || ra === undefined || dec === null || dec === undefined) return null;
  fetchOthers();
  const [x, y] = aitoff(ra, dec);
  const degrees = `${ra.toFixed(5)} ${dec.toFixed(5)}`;
  return html`<section>
    <h3>On the sky</h3>
    <svg class="sky" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="All-sky map: right ascension ${ra.toFixed(2)}, declination ${dec.toFixed(2)} degrees">
      <path class="sky-rim" d=${RIM} /><path class="sky-lines" d=${GRATICULE} />
      ${others.value && html`<path class="sky-others" d=${others.value} />`}
      <circle class="sky-ring" cx=${x} cy=${y} r="6" /><circle class="sky-here" cx=${x} cy=${y} r="1.8" />
      <text class="sky-text" x="4" y=${HEIGHT / 2 - 3}>24ʰ</text>
      <text class="sky-text" x=${WIDTH / 2 + 3} y=${HEIGHT / 2 - 3}>12ʰ</text>
      <text class="sky-text end" x=${WIDTH - 4} y=${HEIGHT / 2 - 3}>0ʰ</text>
    </svg>
    <div class="place">
      <div><div>${format.sexagesimal(ra, dec)}</div><div class="unit">${degrees} degrees</div></div>
      <button class="icon-button" aria-label="Copy the position" title="Copy the position in degrees" onClick=${() => copy(degrees)}><${Icon} name="copy" /></button>
    </div>
  </section>`;
}
