// Colours of points. Index 0 is a galaxy that the filter leaves out, 255 one whose value is not known.

export const OUT = 0;
export const UNKNOWN = 255;
const STEPS = 253;

// Viridis (Smith & van der Walt 2015), every sixteenth part of it.
const VIRIDIS = [
  [68, 1, 84], [72, 24, 106], [71, 45, 123], [66, 64, 134], [59, 82, 139], [51, 99, 141], [44, 114, 142], [38, 130, 142],
  [33, 145, 140], [31, 160, 136], [40, 174, 128], [63, 188, 115], [94, 201, 98], [132, 212, 75], [173, 220, 48], [216, 226, 25],
  [253, 231, 37],
];

// Okabe & Ito 2008 and, after them, Tol's muted ones: distinct with any colour vision.
export const CATEGORIES = {
  light: [[0, 114, 178], [230, 120, 0], [0, 140, 104], [204, 90, 150], [86, 160, 215], [190, 60, 0], [136, 34, 85], [120, 110, 20], [90, 90, 200]],
  dark: [[86, 180, 233], [240, 165, 40], [30, 190, 140], [225, 135, 185], [240, 228, 66], [235, 110, 50], [170, 150, 255], [180, 200, 120], [150, 150, 160]],
};
const GREY = { light: [205, 205, 202], dark: [58, 60, 66] };
const NOT_KNOWN = { light: [150, 150, 150], dark: [120, 122, 128] };
const PLAIN = { light: [52, 87, 213], dark: [138, 164, 255] };

function between(share) {
  const at = share * (VIRIDIS.length - 1);
  const i = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[i].map((one, k) => Math.round(one + (VIRIDIS[i + 1][k] - one) * (at - i)));
}

/** The part of viridis that is seen on a light or a dark ground, at a share from 0 to 1. */
export const viridis = (share, dark) => between(dark ? 0.16 + 0.84 * share : 0.94 * share);

export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

/** 256 colours: grey first, the scale or the categories, then "not known". */
export function palette(kind, dark) {
  const name = dark ? "dark" : "light";
  const colours = new Array(256).fill(PLAIN[name]);
  if (kind === "scale") for (let i = 0; i < STEPS; i++) colours[i + 1] = viridis(i / (STEPS - 1), dark);
  if (kind === "categories") for (let i = 1; i < UNKNOWN; i++) colours[i] = CATEGORIES[name][i - 1] ?? NOT_KNOWN[name];
  colours[OUT] = GREY[name];
  colours[UNKNOWN] = NOT_KNOWN[name];
  return colours;
}

/** The values between which the scale runs: without the outermost hundredth at either end. */
export function limits(values) {
  const step = Math.max(1, Math.floor(values.length / 20_000));
  const sample = [];
  for (let i = 0; i < values.length; i += step) if (Number.isFinite(values[i])) sample.push(values[i]);
  if (!sample.length) return [0, 1];
  sample.sort((a, b) => a - b);
  const at = (share) => sample[Math.round(share * (sample.length - 1))];
  const [low, high] = [at(0.01), at(0.99)];
  return low < high ? [low, high] : [low - 0.5, low + 0.5];
}

/** An index of the palette for each value. */
export function indices(kind, values, n, [low, high]) {
  const found = new Uint8Array(n);
  if (kind === "plain") return found.fill(1);
  for (let i = 0; i < n; i++) {
    const value = values[i];
    if (Number.isNaN(value)) found[i] = UNKNOWN;
    else if (kind === "categories") found[i] = Math.min(value + 1, UNKNOWN - 1);
    else found[i] = 1 + Math.round(Math.min(Math.max((value - low) / (high - low), 0), 1) * (STEPS - 1));
  }
  return found;
}
