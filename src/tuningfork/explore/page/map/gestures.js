// Pointer and keys on the map: drag to move or to draw the lasso, wheel or two fingers to zoom, a press to open.
import { moved, zoomed } from "./camera.js";

const STILL = 4; // pixels that a press may move

/** Listens on `element`; gives a function that stops. `on` has camera(), size(), tool(), look(camera), lasso(points, event, done), hover(x, y), press(x, y, event). */
export function listen(element, on) {
  const fingers = new Map();
  let start = null;
  let line = [];

  const place = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const lassoing = (event) => on.tool() === "lasso" || event.shiftKey;

  const down = (event) => {
    if (event.button) return;
    element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    start = { at: place(event), lasso: fingers.size === 1 && lassoing(event), far: false };
    line = start.lasso ? [place(event)] : [];
  };
  const move = (event) => {
    const now = place(event);
    if (!fingers.has(event.pointerId)) return on.hover(...now);
    const before = fingers.get(event.pointerId);
    if (Math.hypot(now[0] - start.at[0], now[1] - start.at[1]) > STILL) start.far = true;
    fingers.set(event.pointerId, now);
    if (fingers.size === 2) return pinch(event.pointerId, before, now);
    if (start.lasso) {
      line.push(now);
      return on.lasso(line, event, false);
    }
    return start.far && on.look(moved(on.camera(), on.size(), now[0] - before[0], now[1] - before[1]));
  };
  const pinch = (moving, before, now) => {
    const [, other] = [...fingers].find(([id]) => id !== moving);
    const apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
    start.far = true;
    on.look(zoomed(on.camera(), on.size(), apart(now) / Math.max(1, apart(before)), ...other));
  };
  const up = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (start.lasso && line.length > 2 && start.far) on.lasso(line, event, true);
    else if (!start.far && fingers.size === 0 && event.type === "pointerup") on.press(...place(event), event);
    line = [];
  };
  const wheel = (event) => {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    on.look(zoomed(on.camera(), on.size(), Math.exp(-pixels / 320), ...place(event)));
  };
  const leave = () => on.hover(null, null);

  const all = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, pointerleave: leave };
  for (const [name, handler] of Object.entries(all)) element.addEventListener(name, handler);
  element.addEventListener("wheel", wheel, { passive: false });
  return () => {
    for (const [name, handler] of Object.entries(all)) element.removeEventListener(name, handler);
    element.removeEventListener("wheel", wheel);
  };
}
