// The histogram of a number, which is a filter, too: drag to keep a range, drag its edges, press twice to let it go.
import { html, useRef, useState } from "./vendor/ui.js";
import { conditions, setCondition } from "./state.js";
import { say } from "./notices.js";
import * as format from "./format.js";

const WIDTH = 240;
const HEIGHT = 52;
const GRIP = 7;

const tall = (count, most) => (most ? Math.sqrt(count / most) * (HEIGHT - 2) : 0);

function bars(counts, most, name) {
  const step = WIDTH / counts.length;
  let path = "";
  counts.forEach((count, i) => {
    const height = count ? Math.max(tall(count, most), 1) : 0;
    if (height) path += `M${(i * step + 0.5).toFixed(2)} ${HEIGHT}v${-height.toFixed(2)}h${(step - 1).toFixed(2)}V${HEIGHT}z`;
  });
  return html`<path class=${name} d=${path} />`;
}

/** Three or four digits are as fine as a pixel. */
const rounded = (number, span) => Number(number.toFixed(Math.max(0, Math.min(8, 3 - Math.floor(Math.log10(span || 1))))));

export function Histogram({ column, counts }) {
  const svg = useRef(null);
  const [draft, setDraft] = useState(null); // the range while it is being drawn
  const low = counts.edges[0];
  const high = counts.edges[counts.edges.length - 1];
  const span = high - low || 1;
  const most = Math.max(...counts.all, 1);
  const given = conditions.value[column.name];
  const range = draft ?? (given && ("min" in given || "max" in given) ? [given.min ?? low, given.max ?? high] : null);
  const place = (number) => ((Math.min(Math.max(number, low), high) - low) / span) * WIDTH;

  const pointed = (event) => {
    const box = svg.current.getBoundingClientRect();
    return low + (Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * span || 0);
  };
  const settle = ([from, to], exact = false) => {
    const whole = from <= low && to >= high;
    const kept = (number) => (exact ? number : rounded(number, span));
    const min = from <= low ? null : kept(from);
    const max = to >= high ? null : kept(to);
    setCondition(column.name, whole ? null : { min, max });
  };
  const press = (event) => {
    if (event.button) return;
    event.preventDefault();
    svg.current.setPointerCapture(event.pointerId);
    const start = pointed(event);
    const near = (edge) => range && Math.abs(place(start) - place(edge)) < GRIP;
    let fixed = start;
    if (range && near(range[0])) fixed = range[1];
    else if (range && near(range[1])) fixed = range[0];
    let now = null;
    const moved = (move) => {
      const to = pointed(move);
      if (now === null && Math.abs(place(to) - place(start)) < 2) return;
      now = fixed < to ? [fixed, to] : [to, fixed];
      setDraft(now);
    };
    const done = () => {
      svg.current.removeEventListener("pointermove", moved);
      setDraft(null);
      if (now) settle(now);
    };
    svg.current.addEventListener("pointermove", moved);
    svg.current.addEventListener("pointerup", done, { once: true });
    svg.current.addEventListener("pointercancel", done, { once: true });
  };

  return html`<div class="histogram">
    <svg
      ref=${svg}
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      preserveAspectRatio="none"
      role="img"
      aria-label="Histogram of ${format.titleOf(column)}, from ${format.value(low)} to ${format.value(high)}"
      onPointerDown=${press}
      onDblClick=${() => setCondition(column.name, null)}
    >
      <title>Drag to keep a range; press twice to let it go. Heights: square root of the count.</title>
      ${bars(counts.all, most, "bar-all")} ${bars(counts.kept, most, "bar-kept")}
      ${range &&
      html`<rect class="shade" x="0" y="0" width=${place(range[0])} height=${HEIGHT} />
        <rect class="shade" x=${place(range[1])} y="0" width=${WIDTH - place(range[1])} height=${HEIGHT} />
        <path class="edge" d="M${place(range[0])} 0V${HEIGHT}M${place(range[1])} 0V${HEIGHT}" />`}
    </svg>
    <${Range} column=${column} low=${low} high=${high} range=${range} settle=${settle} />
  </div>`;
}

/** A number that can be typed; what is being typed stays, whatever is drawn anew meanwhile. */
function Bound({ label, value, settle }) {
  const [typed, setTyped] = useState(null);
  const done = (event) => {
    setTyped(null);
    settle(event.target.value.trim());
  };
  return html`<input
    class="bound"
    type="text"
    inputmode="decimal"
    aria-label=${label}
    value=${typed ?? value}
    onInput=${(event) => setTyped(event.target.value)}
    onChange=${done}
  />`;
}

/** The same range as two numbers, for keys and for exact values. */
function Range({ column, low, high, range, settle }) {
  const title = format.titleOf(column);
  const shown = (number) => String(Number(Number(number).toPrecision(4)));
  const change = (which) => (text) => {
    const number = text === "" ? [low, high][which] : Number(text);
    if (Number.isNaN(number)) {
      say(`“${text}” is no number.`);
      return;
    }
    const next = [...(range ?? [low, high])];
    next[which] = number;
    if (next[0] > next[1]) next[1 - which] = number; // what was typed last holds
    settle(next, true);
  };
  const field = (which, name) =>
    html`<${Bound} label="${name} of ${title}" value=${shown(range ? range[which] : [low, high][which])} settle=${change(which)} />`;
  return html`<div class="range">
    ${field(0, "Least")}${column.unit && html`<span class="unit">${column.unit}</span>`}${field(1, "Most")}
  </div>`;
}
