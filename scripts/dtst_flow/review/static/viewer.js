// The big view: an image, the photo that it came from with its box, and what is known.

import { redo, undo } from "./act.js";
import { get } from "./api.js";
import { button, el, pictured } from "./dom.js";
import { store } from "./store.js";

/** Look at an image of a grid; the arrows go on, and the commands are the grid's. */
export function look(grid, start, commands) {
  const body = el("div", { className: "look" });
  const shown = commands.filter(({ bar, key }) => bar && key !== "Escape");
  const title = el("p", { className: "path" });
  let at = start;
  const image = () => grid.source.at(at);
  const go = async (step) => {
    const to = at + step;
    if (to < 0 || to >= grid.source.total) return;
    await grid.source.need(to, to + 1);
    at = to;
    fill();
  };
  const does = async (command) => {
    if ((await command.does([image()])) && dialog.open) await go(1);
  };
  const fill = async () => {
    const wanted = at;
    const { n, decided } = image();
    title.textContent = `${at + 1} of ${grid.source.total}${decided ? ` · ${decided}` : ""}`;
    const facts = await get(`/api/image/${n}`).catch(() => null);
    if (wanted === at && facts) body.replaceChildren(...contents(facts));
  };
  const dialog = el("dialog", { className: "viewer", ariaLabel: "Image" },
    el("div", { className: "controls" }, title, button("‹", null, () => go(-1), { ariaLabel: "The image before" }), button("›", null, () => go(1), { ariaLabel: "The image after" }),
      button("Close", "Esc", () => dialog.close())),
    body, el("div", { className: "controls" }, ...shown.map((c) => button(c.words, c.key, () => does(c)))),
    el("div", { className: "toasts", role: "status", ariaLive: "polite" }));
  const keys = { ArrowLeft: () => go(-1), ArrowRight: () => go(1), z: undo, Z: redo, Enter: () => dialog.close(), ...Object.fromEntries(shown.map((c) => [c.key, () => does(c)])) };
  dialog.addEventListener("keydown", (event) => {
    const inside = event.target.matches("button") && event.key === "Enter";
    if (event.ctrlKey || event.metaKey || event.altKey || inside || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  const known = new AbortController();
  store.on("changed", () => grid.source.need(at, at + 1).then(() => image() && fill()), known.signal);
  store.on("clustering", () => dialog.close(), known.signal);
  dialog.addEventListener("close", () => (known.abort(), dialog.remove(), grid.go(at)));
  document.body.append(dialog);
  dialog.showModal();
  dialog.focus();
  fill();
}

function contents({ n, path, photo, box, photo_size: size, metrics, why }) {
  const address = (kind) => `/${kind}/${n}?c=${store.state.clustering}`;
  const facts = Object.entries(metrics ?? {}).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, typeof value === "number" ? String(Math.round(value * 1000) / 1000) : JSON.stringify(value))));
  return [
    el("figure", {}, pictured(address("image"), { alt: "The image" }, ""), el("figcaption", {}, path)),
    photo ? el("figure", {}, el("div", { className: "photo" }, pictured(address("photo"), { alt: "The photo that it came from" }, ""), marked(box, size)), el("figcaption", {}, photo)) : "",
    why ? el("p", {}, why) : "",
    el("dl", {}, ...facts),
  ];
}

/** The box on the photo, in shares of its size. */
function marked(box, size) {
  if (!box || !size) return "";
  const [left, top, right, bottom] = box;
  const [width, height] = size;
  const share = (part, whole) => `${(100 * part) / whole}%`;
  const mark = el("span", { className: "box" });
  Object.assign(mark.style, { left: share(left, width), top: share(top, height), width: share(right - left, width), height: share(bottom - top, height) });
  return mark;
}
