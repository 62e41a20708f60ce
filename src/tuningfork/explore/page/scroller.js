// Virtual scrolling: which lines of a long list are in view. Browsers bound the height of an element, so beyond `TALLEST`
// pixels a pixel of the scroll bar stands for more than one of the list.
import { useCallback, useLayoutEffect, useState } from "./vendor/ui.js";
import { begun } from "./list.js";

const TALLEST = 12_000_000;

export function useScroller(box, lines, lineHeight, spare = 2) {
  const [seen, setSeen] = useState({ scroll: 0, height: 600, width: 800 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    let frame = 0;
    const measure = () => {
      frame = 0;
      setSeen((before) => {
        const now = { scroll: element.scrollTop, height: element.clientHeight, width: element.clientWidth };
        return now.scroll === before.scroll && now.height === before.height && now.width === before.width ? before : now;
      });
    };
    const soon = () => {
      frame ||= requestAnimationFrame(measure);
    };
    measure();
    element.addEventListener("scroll", soon, { passive: true });
    const watcher = new ResizeObserver(soon);
    watcher.observe(element);
    return () => {
      element.removeEventListener("scroll", soon);
      watcher.disconnect();
      cancelAnimationFrame(frame);
    };
  }, [box.current]);

  useLayoutEffect(() => {
    if (box.current && begun.value) box.current.scrollTop = 0;
  }, [begun.value]);

  const full = lines * lineHeight;
  const shown = Math.min(full, TALLEST);
  const squeeze = full > shown ? (full - seen.height) / (shown - seen.height) : 1;
  const offset = seen.scroll * squeeze; // of the whole list, in pixels
  const first = Math.max(0, Math.floor(offset / lineHeight) - spare);
  const last = Math.min(lines - 1, Math.ceil((offset + seen.height) / lineHeight) + spare);

  const top = (line) => line * lineHeight - offset + seen.scroll;
  const reveal = useCallback(
    (line) => {
      const element = box.current;
      if (!element || lines === 0) return;
      const now = element.scrollTop * squeeze;
      const above = line * lineHeight;
      const below = above + lineHeight - element.clientHeight;
      if (above < now) element.scrollTop = above / squeeze;
      else if (below > now) element.scrollTop = below / squeeze;
    },
    [lines, lineHeight, squeeze],
  );
  return { first, last, top, reveal, height: shown, width: seen.width, page: Math.max(1, Math.floor(seen.height / lineHeight)) };
}
