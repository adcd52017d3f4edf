// The keys, of the view that is shown and of all.

import { button, el, spelled } from "./dom.js";

const IN_GRIDS = [
  ["arrows", "go to another picture; with shift, select on the way"],
  ["space", "select, or no longer; with shift, all between"],
  ["a", "select all"],
  ["Enter", "open, or look closer"],
];

export function help(view, everywhere) {
  const told = (commands) => commands.map((c) => [spelled(c.key), `${c.words.replace("…", "")}: ${c.help}`]);
  const dialog = el("dialog", { className: "keys", ariaLabel: "Keys" },
    el("p", { className: "buttons" }, button("Close", "Esc", () => dialog.close())),
    part(view.title, told(view.commands)), view.grid ? part("Pictures", IN_GRIDS) : "", part("Everywhere", told(everywhere)),
    el("p", { className: "hint" }, "A mouse selects with a rectangle, and drags what is selected to where it belongs."));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function part(title, keys) {
  const rows = keys.map(([key, words]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)));
  return el("section", {}, el("h2", {}, title), el("dl", {}, ...rows));
}
