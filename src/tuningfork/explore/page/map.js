// The map view: which columns it shows, its tools, its legend, and the scene under them.
import { batch, effect, html, signal, untracked, useEffect, useRef } from "./vendor/ui.js";
import { postForBuffer } from "./api.js";
import { catalogue, clearSelection, column, cursor, filter, look, map, mapTool, revision, select, selected } from "./state.js";
import { RowSet } from "./rowset.js";
import { open, toggle } from "./picking.js";
import { dark } from "./screen.js";
import { tried } from "./notices.js";
import { Picture } from "./thumb.js";
import { renderer } from "./link.js";
import { Cloud, fetchCloud } from "./map/cloud.js";
import { indices, limits } from "./map/colours.js";
import { zoomed } from "./map/camera.js";
import { Legend } from "./map/legend.js";
import { listen } from "./map/gestures.js";
import { Scene } from "./map/scene.js";
import { Thumbs } from "./map/thumbs.js";
import { MapTools } from "./map/tools.js";
import * as format from "./format.js";

/** The first map of the embedding, or the first two numbers, coloured by the class of fewest values. */
export function chooseMap() {
  const { maps, columns } = catalogue.value;
  const numbers = columns.filter((one) => ["number", "integer"].includes(one.type));
  const classes = columns.filter((one) => one.role === "class" && one.values).sort((a, b) => a.values.length - b.values.length);
  const colour = classes[0] ?? columns.find((one) => one.role === "fraction") ?? null;
  map.value = { x: maps[0]?.x ?? numbers[0]?.name ?? null, y: maps[0]?.y ?? numbers[1]?.name ?? null, colour: colour?.name ?? null };
}

const ofEmbedding = (name) => name?.startsWith("map:");

function kindOf(by) {
  if (!by) return "plain";
  if (by.type === "number" || by.type === "integer") return "scale";
  return by.values ? "categories" : "plain";
}

const painted = signal({ kind: "plain", limits: [0, 1], by: null });
const status = signal("");

/** Fetches what the map shows whenever that changes, and paints it. */
class Feed {
  constructor(scene) {
    this.scene = scene;
    this.base = null;
    this.key = "";
    this.stops = [
      effect(() => {
        map.value;
        revision.value;
        untracked(() => tried(() => this.points()));
      }),
      effect(() => {
        filter.value;
        revision.value;
        untracked(() => tried(() => this.filtered()));
      }),
      effect(() => {
        dark.value;
        untracked(() => this.paint());
      }),
    ];
  }

  async points() {
    const { x, y, colour } = map.value;
    if (!x || !y) return;
    this.asked?.abort();
    this.asked = new AbortController();
    status.value = "Fetching the map …";
    const by = column(colour);
    const kind = kindOf(by);
    try {
      const found = await fetchCloud({ x, y, colour: kind === "plain" ? null : colour }, this.asked.signal);
      if (this.key !== `${x} ${y}`) {
        const { width, height } = this.scene.size;
        this.scene.setCloud(new Cloud(found, { equal: ofEmbedding(x), backwards: x === "ra", aspect: Math.max(0.6, width / (height || 1)) }));
        this.scene.look(null);
        this.key = `${x} ${y}`;
      }
      const range = kind === "scale" ? limits(found.colour) : [0, 1];
      this.base = indices(kind, found.colour, found.n, range);
      painted.value = { kind, limits: range, by };
      this.values = found.colour;
      this.paint();
      status.value = this.scene.cloud.n ? "" : "No galaxy has a place on this map.";
    } catch (error) {
      status.value = error.name === "AbortError" ? status.value : error.message;
      throw error;
    }
  }

  async filtered() {
    const now = filter.value;
    if (!now.all.length) this.kept = null;
    else {
      const bits = new Uint8Array(await postForBuffer("api/kept", { filter: now }));
      if (now !== filter.value) return;
      this.kept = new RowSet(catalogue.value.rows, bits);
    }
    this.paint();
  }

  paint() {
    if (this.base && this.scene.cloud) this.scene.paint({ base: this.base, kept: this.kept, kind: painted.value.kind, dark: dark.value });
  }

  stop() {
    this.asked?.abort();
    for (const stop of this.stops) stop();
  }
}

/** The colours of the page's style, as a canvas takes them: read off an element that carries them. */
function inks() {
  const found = getComputedStyle(document.querySelector(".map-ink"));
  return { text: found.color, accent: found.caretColor, muted: found.outlineColor, line: found.borderTopColor, font: found.fontFamily };
}

const nameOf = (name) => (column(name) ? format.titleOf(column(name)) : name);

const TIP = 134; // pixels across

function Tip({ scene, feed }) {
  const hovered = scene.hovered.value;
  if (!hovered) return null;
  const { by, kind } = painted.value;
  const given = feed.values?.[hovered.row];
  const said = kind === "categories" ? by.values[given]?.[0] : given;
  const [x] = hovered.at;
  const left = x > scene.size.width / 2 ? x - 14 - TIP : x + 14;
  const top = Math.min(Math.max(hovered.at[1] - 60, 8), scene.size.height - 150);
  return html`<div class="map-tip" style=${{ width: `${TIP}px`, transform: `translate(${left}px, ${top}px)` }}>
    ${catalogue.value.has.images && html`<${Picture} key=${hovered.row} row=${hovered.row} size=${120} />`}
    ${by && html`<span>${nameOf(by.name)}: <strong>${format.value(said)}</strong></span>`}
  </div>`;
}

export function MapView() {
  const host = useRef(null);
  const overlay = useRef(null);
  const box = useRef(null);
  const live = useRef(signal(null)).current; // {scene, feed}

  useEffect(() => {
    const scene = new Scene(host.current, overlay.current);
    const stops = [];
    let over = false;
    scene.open(renderer.value).then(() => {
      if (over) return scene.close();
      const measure = () => scene.resize(box.current.clientWidth, box.current.clientHeight);
      const watcher = new ResizeObserver(measure);
      measure();
      watcher.observe(box.current);
      const feed = new Feed(scene);
      stops.push(() => watcher.disconnect(), () => feed.stop(), listen(box.current.querySelector(".map-overlay"), gestures(scene)));
      stops.push(
        effect(() => {
          dark.value;
          look.value;
          const axes = ofEmbedding(map.value.x) ? null : { x: nameOf(map.value.x), y: nameOf(map.value.y) };
          const shown = { selected: selected.value, current: cursor.value.row, axes, pictures: catalogue.value.has.images };
          requestAnimationFrame(() => scene.decorate({ ...shown, ink: inks() }));
        }),
      );
      live.value = { scene, feed };
      return undefined;
    });
    return () => {
      over = true;
      if (live.value) scene.close();
      for (const stop of stops) stop();
      live.value = null;
    };
  }, []);

  const gestures = (scene) => ({
    camera: () => scene.camera,
    size: () => scene.size,
    tool: () => mapTool.value,
    look: (camera) => scene.look(camera),
    hover: (x, y) => scene.hover(x, y),
    lasso: (line, event, done) => {
      scene.drawLasso(line);
      if (done) select(scene.endLasso(), { add: event.ctrlKey || event.metaKey });
    },
    press: (x, y, event) => {
      const i = scene.nearest(x, y);
      if (i === null) return clearSelection();
      const row = scene.cloud.rows[i];
      return batch(() => {
        if (event.ctrlKey || event.metaKey) toggle(row);
        open(row);
      });
    },
  });
  const zoom = (factor) => {
    const { scene } = live.value;
    scene.look(zoomed(scene.camera, scene.size, factor, scene.size.width / 2, scene.size.height / 2));
  };
  const pressed = (event) => {
    const actions = { "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: () => live.value.scene.look(null) };
    if (!actions[event.key] || !live.value) return;
    event.preventDefault();
    actions[event.key]();
  };

  const { scene, feed } = live.value ?? {};
  const { kind, limits: range, by } = painted.value;
  return html`<div class="map-view">
    <${MapTools} zoom=${zoom} home=${() => live.value?.scene.look(null)} />
    <div class="map-box" ref=${box} tabindex="0" role="application" aria-label="Map of ${catalogue.value.name}" onKeyDown=${pressed}>
      <div class="map-host" ref=${host}></div>
      <span class="map-ink" aria-hidden="true"></span>
      <canvas class="map-overlay ${mapTool.value}" ref=${overlay}></canvas>
      ${scene && html`<${Thumbs} thumbs=${scene.thumbs.value} colourOf=${scene.colourOf} chosen=${(row) => selected.value.has(row)} />`}
      ${scene && html`<${Tip} scene=${scene} feed=${feed} />`}
      <${Legend} column=${by} kind=${kind} limits=${range} dark=${dark.value} />
      ${status.value && html`<p class="map-status" role="status">${status.value}</p>`}
    </div>
  </div>`;
}
