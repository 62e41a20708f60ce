// One galaxy as a small picture: with its label, its mark of selection, and a plain square where it has no image.
import { html, useState } from "./vendor/ui.js";
import { generation, picture } from "./api.js";
import { catalogue, look } from "./state.js";

const SIZES = [64, 96, 128, 192, 256, 384, 512];

/** The size to ask for: the next of a few, so that the same pictures serve many zooms. */
export const sizeFor = (pixels) => SIZES.find((size) => size >= pixels * Math.min(devicePixelRatio, 2) * 0.9) ?? 512;

export function Picture({ row, size, alt = "", view, stretch, band }) {
  const [failed, setFailed] = useState(null);
  if (!catalogue.value.has.images) return html`<span class="no-image" role="img" aria-label=${alt}>no images</span>`;
  const options = { size: sizeFor(size), view: view ?? look.value.view, stretch: stretch ?? look.value.stretch, band };
  const source = picture(row, options);
  if (failed === `${generation.value} ${source}`) return html`<span class="no-image" role="img" aria-label=${alt}>no image</span>`;
  const fail = () => setFailed(`${generation.value} ${source}`);
  return html`<img src=${source} alt=${alt} width=${size} height=${size} decoding="async" fetchpriority="low" draggable=${false} onError=${fail} />`;
}
