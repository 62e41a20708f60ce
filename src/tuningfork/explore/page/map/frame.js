// Inside /map.html: the WebGL points. regl compiles functions while it runs, so this frame alone may, and it draws only numbers.
import createScatterplot from "../vendor/scatterplot.js";
import { OUT } from "./colours.js";

function view({ scale, x, y }) {
  return Float32Array.of(scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, 1, 0, x, y, 0, 1);
}

class Points {
  constructor() {
    const canvas = document.createElement("canvas");
    document.body.append(canvas);
    this.plot = createScatterplot({
      canvas,
      width: "auto",
      height: "auto",
      cameraIsFixed: true,
      colorBy: "valueA",
      opacityBy: "density",
      opacityByDensityFill: 0.12,
      backgroundColor: [0, 0, 0, 0],
      lassoInitiator: false,
      spatialIndexUseWorker: false,
      deselectOnEscape: false,
      deselectOnDblClick: false,
    });
  }

  setPoints(cloud) {
    this.cloud = cloud;
    this.index = undefined;
    this.plot.set({ pointSize: Math.min(8, Math.max(2, 260 / Math.sqrt(cloud.n + 1))) });
  }

  async setColours(colours, palette) {
    const { x, y, n } = this.cloud;
    const order = new Int32Array(n);
    let at = 0;
    for (const beneath of [true, false]) for (let i = 0; i < n; i++) if ((colours[i] === OUT) === beneath) order[at++] = i;
    this.plot.set({ pointColor: palette.map(([r, g, b]) => [r / 255, g / 255, b / 255, 1]) });
    await this.plot.draw({ x, y, valueA: colours }, { zDataType: "categorical", spatialIndex: this.index });
    this.index = this.plot.get("spatialIndex");
    this.plot.set({ pointOrder: [...order] });
  }

  draw(camera) {
    this.plot.view(view(camera), { preventEvent: true });
  }

  destroy() {
    this.plot.destroy();
  }
}

window.createPoints = () => new Points();
