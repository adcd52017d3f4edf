// Images as tiles, and what can be done with them wherever they are shown.

import { act } from "./act.js";
import { count, el, label, picture } from "./dom.js";
import { askCluster, askName, remember } from "./targets.js";

/** A tile of an image; `words` are what screen readers say of it. */
export function draw(image) {
  const said = [image.decided, image.doubt && "doubtful", image.quality !== null && `quality ${image.quality.toFixed(2)}`];
  const note = image.decided || (image.distance === null ? "" : image.distance.toFixed(2));
  const marks = [
    image.doubt ? el("span", { className: "mark doubt", title: "hardly nearer to this cluster than to another" }, "?") : null,
    image.copies > 1 ? el("span", { className: "mark copies", title: `${image.copies} that are nearly the same` }, `×${image.copies}`) : null,
    el("span", { className: "zoom", title: "Look closer (Enter)" }, "⤢"),
  ];
  return {
    words: [`image ${image.n}`, ...said].filter(Boolean).join(", "),
    content: [
      el("span", { className: image.decided ? "picture decided" : "picture" }, picture(image.n), ...marks),
      el("span", { className: "note" }, note),
    ],
  };
}

/** How grids of images look and behave. */
export const tiles = { width: 104, words: 20, key: (image) => image.n, draw };

/**
 * The commands for images of a grid.
 *
 * @param grid where they are
 * @param from () → the cluster that they are in; nothing where they are in none
 */
export function commands(grid, from = null) {
  const doing = (does) => async (images = grid.meant) => {
    if (!images.length) return false;
    const single = !grid.chosen.size && grid.hasFocus;
    if (!(await does(images))) return false;
    grid.clear();
    if (single) grid.go(grid.at + 1);
    return true;
  };
  const out = { key: "o", words: "Not of this cluster", help: "out of it, wherever they belong", bar: true, does: doing((images) => act("out", { images: numbers(images) })) };
  return [
    { key: "x", words: "Reject", help: "not wanted: into no cluster; again, to take it back", bar: true, does: doing(reject) },
    { key: "m", words: "Move to…", help: "into another cluster, or a new one by its name", bar: true, does: doing((images) => move(images, from?.())) },
    { key: "n", words: "New cluster…", help: "a cluster of their own", bar: true, does: doing(fresh) },
    ...(from ? [out] : []),
  ];
}

function numbers(images) {
  return images.map(({ n }) => n);
}

/** Reject, or take back what is rejected already. */
export function reject(images) {
  const already = images.every(({ decided }) => decided === "rejected");
  return act(already ? "unreject" : "reject", { images: numbers(images) });
}

async function move(images, from) {
  const title = `Move ${count(images.length, "image")} to`;
  const chosen = await askCluster(title, { first: from?.near ? [from.near] : [], except: from ? [from.id] : [] });
  if (!chosen) return null;
  return chosen.cluster ? moveTo(images, chosen.cluster) : make(images, chosen.name);
}

export function moveTo(images, cluster) {
  remember(cluster);
  return act("move", { images: numbers(images), to: cluster.id });
}

export function make(images, name) {
  return act("new", { images: numbers(images), ...(name && { name }) });
}

async function fresh(images) {
  const name = await askName(`New cluster of ${count(images.length, "image")}: its name`, { none: "without a name" });
  return name === null ? null : make(images, name);
}

/** What a bar says of a selection: how many, and the first of them in pictures. */
export function what(items, one, number) {
  const shown = items.slice(0, 6).map((item) => el("span", { className: "small", title: item.folder ? label(item) : "" }, picture(number(item))));
  return [el("b", {}, count(items.length, one)), ...shown];
}
