// The WebGL points: a frame of this server, spoken to by direct calls. The same interface as the canvas's (canvas.js).

const IN_SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;
const PATIENCE = 15_000; // milliseconds for the frame to load; after them the canvas draws

/** Whether the machine draws WebGL itself. In software, as on virtual machines, the 2-D canvas is quicker. */
export function hasWebGL() {
  const context = document.createElement("canvas").getContext("webgl", { failIfMajorPerformanceCaveat: true });
  if (!context?.getExtension("OES_texture_float")) return false;
  const named = context.getExtension("WEBGL_debug_renderer_info");
  const name = String(context.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : context.RENDERER));
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return !IN_SOFTWARE.test(name);
}

function loaded(frame) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("the frame of the points did not load")), PATIENCE);
    frame.addEventListener("load", () => resolve(clearTimeout(late)), { once: true });
  });
}

export class WebGLPoints {
  static async open(host) {
    const frame = document.createElement("iframe");
    frame.className = "map-points";
    frame.title = "Points of the map";
    frame.tabIndex = -1;
    frame.src = "map.html";
    host.append(frame);
    try {
      await loaded(frame);
      return new WebGLPoints(frame, frame.contentWindow.createPoints());
    } catch (error) {
      frame.remove();
      throw error;
    }
  }

  constructor(frame, points) {
    this.frame = frame;
    this.points = points;
    this.drawn = Promise.resolve();
  }

  setPoints(cloud) {
    this.points.setPoints(cloud);
  }

  setColours(colours, palette) {
    this.drawn = this.drawn.then(() => this.points.setColours(colours, palette));
  }

  async draw(camera) {
    await this.drawn;
    this.points.draw(camera);
  }

  destroy() {
    this.points.destroy();
    this.frame.remove();
  }
}
