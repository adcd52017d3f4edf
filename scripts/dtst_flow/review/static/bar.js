// The bar at the foot: what is selected, and what can be done with it.

import { button } from "./dom.js";

const bar = () => document.getElementById("bar");
let told = null;

/** Show what is meant and the commands for it; without anything meant, hide the bar. */
export function showBar(what, commands = []) {
  bar().hidden = !what;
  document.body.classList.toggle("barred", Boolean(what));
  if (!what) return;
  if (told !== commands) {
    const buttons = commands.filter((c) => c.bar).map((c) => button(c.words, c.key, () => c.does()));
    bar().replaceChildren(document.createElement("p"), ...buttons);
    told = commands;
  }
  bar().firstChild.replaceChildren(...what);
}
