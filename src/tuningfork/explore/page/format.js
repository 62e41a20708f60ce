// Numbers, names and places in the sky as text.

const WHOLE = new Intl.NumberFormat("en");

export const count = (n) => WHOLE.format(n);

/** "1 galaxy", "2 galaxies". */
export const galaxies = (n) => `${count(n)} ${n === 1 ? "galaxy" : "galaxies"}`;

/** A value of a column as text: few digits, never a long tail. */
export function value(given) {
  if (given === null || given === undefined || Number.isNaN(given)) return "–";
  if (typeof given === "boolean") return given ? "yes" : "no";
  if (typeof given !== "number") return String(given);
  if (Number.isInteger(given)) return Math.abs(given) < 1e15 ? WHOLE.format(given) : String(given);
  const size = Math.abs(given);
  if (size >= 1e6 || size < 1e-4) return given.toExponential(2);
  return size >= 1000 ? given.toFixed(1) : String(Number(given.toPrecision(size < 1 ? 3 : 4)));
}

const SHARES = ["fraction", "low", "high", "width", "spread", "probability", "ood_score"];

/** A value as a cell of its column has it: shares and scores with three decimals, so that they can be compared down the column. */
export function cell(column, given) {
  if (!SHARES.includes(column?.role) || typeof given !== "number") return value(given);
  return given > 0 && given < 0.0005 ? "<0.001" : Math.max(given, 0).toFixed(3);
}

export const percent = (fraction) => `${(100 * fraction).toFixed(fraction > 0 && fraction < 0.1 ? 1 : 0)} %`;

const pad = (number, width = 2) => String(number).padStart(width, "0");

function sixties(total, unitsOfSecond) {
  const units = Math.round(total * 3600 * unitsOfSecond);
  const seconds = Math.floor(units / unitsOfSecond);
  return [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, (units / unitsOfSecond) % 60];
}

/** Right ascension and declination in hours and degrees, minutes and seconds. */
export function sexagesimal(ra, dec) {
  const [hours, minutes, seconds] = sixties((((ra % 360) + 360) % 360) / 15, 100);
  const [degrees, arcmin, arcsec] = sixties(Math.abs(dec), 10);
  const sign = dec < 0 ? "−" : "+";
  const first = `${pad(hours % 24)}ʰ${pad(minutes)}ᵐ${seconds.toFixed(2).padStart(5, "0")}ˢ`;
  return `${first} ${sign}${pad(degrees)}°${pad(arcmin)}′${arcsec.toFixed(1).padStart(4, "0")}″`;
}

/** What a sorted or coloured column is called in the page. */
export const titleOf = (column) => column.title || column.name;
