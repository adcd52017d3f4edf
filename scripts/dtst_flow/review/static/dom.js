// Elements and words. What comes from the data is only ever text: nothing here, nor
// elsewhere in the page, reads any of it as HTML.

import { get } from "./api.js";
import { store } from "./store.js";

/** An element: `on…` are listeners, the rest properties or, with a dash, attributes. */
export function el(kind, properties = {}, ...children) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A button that also tells its key. */
export function button(words, key, onclick, more = {}) {
  const hint = key ? el("kbd", { ariaHidden: "true" }, spelled(key)) : null;
  return el("button", { type: "button", onclick, ...(key && { ariaKeyShortcuts: key }), ...more }, words, hint);
}

/** A key as people call it. */
export function spelled(key) {
  if (key === "Escape") return "Esc";
  return /^[A-Z]$/.test(key) ? `shift-${key.toLowerCase()}` : key;
}

/** The address of a small picture; it names the clustering, so it can be kept for ever. */
export function thumb(n, side = 128) {
  const sharp = side === 128 && devicePixelRatio > 1.5 ? 320 : side;
  return `/thumb/${n}?side=${sharp}&c=${store.state.clustering}`;
}

/** A picture, or where there can be none, a word, with the reason when it is pointed at. */
export function pictured(src, properties, word = "no preview") {
  const image = el("img", { src, ...properties });
  image.addEventListener("error", async () => {
    const blank = el("span", { className: "blank" }, word);
    image.replaceWith(blank);
    blank.title = await get(src).then(() => "", ({ message }) => message);
    if (!word) blank.textContent = blank.title;
  });
  return image;
}

/** A small picture. */
export function picture(n, side) {
  return pictured(thumb(n, side), { alt: "", decoding: "async", draggable: false });
}

/** What a cluster is called: its name, or else its folder. */
export function label(cluster) {
  return cluster.name || cluster.folder || cluster.id;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

export function address(cluster) {
  return `#/cluster/${encodeURIComponent(cluster.id)}`;
}
