// The mouse over a grid: a rectangle selects, and what is selected can be dropped on what
// takes it, a place marked by data-drop. Fingers scroll instead.

import { count, el } from "./dom.js";

const FAR = 6;
const EDGE = 48;

/** Let the mouse drag over a grid and around it. */
export function drags(grid, signal) {
  grid.element.addEventListener("pointerdown", (event) => {
    if (event.button || event.pointerType === "touch") return;
    const at = grid.place(event);
    const item = at === null ? null : grid.source.at(at);
    const chosen = item && grid.chosen.has(grid.wish.key(item));
    follow(event, chosen && grid.wish.drop ? carry(grid) : rectangle(grid, event), signal);
  }, { signal });
}

/** Call what a gesture does, once the pointer went far enough to be one; its click is none. */
function follow(start, gesture, signal) {
  const over = new AbortController();
  const options = { signal: AbortSignal.any([signal, over.signal]) };
  let begun = false;
  const end = (done) => {
    over.abort();
    if (!begun) return;
    const click = new AbortController();
    addEventListener("click", (event) => event.stopPropagation(), { capture: true, signal: click.signal });
    setTimeout(() => click.abort());
    gesture.end(done);
  };
  addEventListener("pointermove", (event) => {
    const moved = Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY);
    if (!begun && moved < FAR) return;
    begun = true;
    scrollBy(0, nudge(event.clientY));
    gesture.move(event);
  }, options);
  addEventListener("pointerup", () => end(true), options);
  addEventListener("pointercancel", () => end(false), options);
  addEventListener("keydown", (event) => event.key === "Escape" && (event.stopPropagation(), end(false)), { ...options, capture: true });
}

/** How far to scroll for a pointer near the upper or lower edge. */
function nudge(y) {
  if (y < EDGE) return -EDGE / 2;
  return y > innerHeight - EDGE ? EDGE / 2 : 0;
}

/** Select what a rectangle touches; with shift or ctrl, besides what is selected. */
function rectangle(grid, start) {
  const corner = grid.element.getBoundingClientRect();
  const [x, y] = [start.clientX - corner.left, start.clientY - corner.top];
  const before = start.shiftKey || start.ctrlKey || start.metaKey ? new Map(grid.chosen) : new Map();
  const band = el("div", { className: "band" });
  return {
    move(event) {
      const now = grid.element.getBoundingClientRect();
      const [a, b] = [event.clientX - now.left, event.clientY - now.top];
      const box = { left: Math.min(x, a), top: Math.min(y, b), right: Math.max(x, a), bottom: Math.max(y, b) };
      Object.assign(band.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.right - box.left}px`, height: `${box.bottom - box.top}px` });
      if (!band.isConnected) grid.element.append(band);
      grid.chosen.clear();
      for (const [key, item] of before) grid.chosen.set(key, item);
      for (const i of grid.within(box)) grid.choose(i);
      grid.changed();
    },
    end() {
      band.remove();
    },
  };
}

/** Take the selection along to where it is dropped. */
function carry(grid) {
  const ghost = el("div", { className: "ghost", ariaHidden: "true" }, count(grid.chosen.size, grid.wish.one ?? "image"));
  let over = null;
  const mark = (target) => {
    over?.classList.remove("over");
    over = target;
    over?.classList.add("over");
  };
  return {
    move(event) {
      if (!ghost.isConnected) document.body.append(ghost);
      ghost.style.transform = `translate(${event.clientX + 12}px, ${event.clientY + 12}px)`;
      mark(document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-drop]") ?? null);
    },
    end(done) {
      const target = over;
      ghost.remove();
      mark(null);
      if (done && target) grid.wish.drop([...grid.chosen.values()], target);
    },
  };
}
