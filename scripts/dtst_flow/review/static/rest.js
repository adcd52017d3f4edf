// What is in no cluster: groups in noise that are alike, all other noise, and rejected.

import { act } from "./act.js";
import { get } from "./api.js";
import { showBar } from "./bar.js";
import { button, count, el } from "./dom.js";
import { Grid } from "./grid.js";
import { commands as imageCommands, make, tiles, what } from "./images.js";
import { Source } from "./source.js";
import { store } from "./store.js";
import { look } from "./viewer.js";

const SHOWN = 20;

export function show(main, signal) {
  const view = { title: "Noise and rejected", commands: [] };
  const chosen = new Map();
  const noise = new Source(async (offset, limit) => {
    const answer = await get("/api/noise", { offset, limit });
    if (!offset) groups.read(answer.groups);
    return { total: answer.total, items: answer.rest };
  });
  const rejected = new Source(async (offset, limit) => {
    const answer = await get("/api/rejected", { offset, limit });
    return { total: answer.total, items: answer.images };
  });
  const groups = new Groups(view, chosen, signal);
  const sections = [
    section(gridOf(view, "Noise", noise, usual, signal, chosen), "Images in no cluster."),
    section(gridOf(view, "Rejected", rejected, back, signal), "Not wanted: in no cluster, until taken back."),
  ];
  view.selected = () => [sections[0].grid, ...groups.grids].forEach((grid) => grid.draw());
  main.replaceChildren(el("h1", { className: "unseen" }, view.title), groups.element, ...sections.map(({ element }) => element));
  for (const { grid } of sections) grid.draw();
  const reload = () => {
    for (const source of [noise, rejected]) source.stale();
    for (const { grid } of sections) grid.draw();
    // The groups come with the first page, which need not be in sight.
    noise.need(0, 1);
  };
  store.on("changed", reload, signal);
  noise.need(0, 1).then(() => signal.aborted || (groups.grids[0] ?? sections[0].grid).focus());
  view.commands = sections[0].commands;
  return view;
}

function section({ grid, commands }, hint) {
  const number = el("span", { className: "quiet" });
  const title = grid.wish.label;
  const element = el("section", { ariaLabel: title }, el("h2", {}, `${title} `, number), el("p", { className: "hint" }, hint), grid.element);
  grid.wish.known = () => {
    number.textContent = grid.source.total.toLocaleString("en");
    element.hidden = !grid.source.total;
  };
  return { grid, commands, element };
}

/** A grid whose commands are those of the view while it has the focus or a selection. */
function gridOf(view, label, source, commandsOf, signal, chosen) {
  const grid = new Grid(source, {
    ...tiles, label, chosen,
    open: (_, i) => look(grid, i, commands),
    select: () => {
      view.grid = grid;
      view.commands = commands;
      view.selected?.();
      showBar(grid.chosen.size && what([...grid.chosen.values()], "image", ({ n }) => n), commands);
    },
  }, signal);
  const commands = [...commandsOf(grid), { key: "Escape", words: "Clear", help: "select nothing", bar: true, does: () => grid.clear() }];
  return { grid, commands };
}

function usual(grid) {
  return imageCommands(grid);
}

function back(grid) {
  const does = async (images = grid.meant) => {
    const done = images.length ? await act("unreject", { images: images.map(({ n }) => n) }) : null;
    if (done) grid.clear();
    return Boolean(done);
  };
  return [{ key: "x", words: "Take back", help: "no longer rejected", bar: true, does }];
}

/** Images in noise that are alike; what is selected there is so among all noise. */
class Groups {
  #all = [];
  #shown = SHOWN;
  #told = "";
  #drawn = new AbortController();
  grids = [];

  constructor(view, chosen, signal) {
    Object.assign(this, { view, chosen, signal });
    this.element = el("section", { className: "groups", ariaLabel: "Alike", hidden: true });
  }

  read(groups) {
    const told = JSON.stringify(groups);
    if (told === this.#told) return;
    this.#told = told;
    this.#all = groups;
    this.#draw();
  }

  #draw() {
    const left = this.#all.length - this.#shown;
    this.grids = [];
    this.#drawn.abort();
    this.#drawn = new AbortController();
    this.element.hidden = !this.#all.length;
    this.element.replaceChildren(
      el("h2", {}, "Alike ", el("span", { className: "quiet" }, count(this.#all.length, "group"))),
      el("p", { className: "hint" }, "Images in no cluster that are near to each other."),
      el("div", {}, ...this.#all.slice(0, this.#shown).map((images) => this.#group(images))),
      left > 0 ? button(`${left} more`, null, () => ((this.#shown += SHOWN), this.#draw())) : "",
    );
    for (const grid of this.grids) grid.draw();
  }

  #group(images) {
    const source = new Source(async () => ({ total: images.length, items: images }));
    const signal = AbortSignal.any([this.signal, this.#drawn.signal]);
    const { grid } = gridOf(this.view, `${images.length} alike`, source, usual, signal, this.chosen);
    const go = button(`${images.length} alike: make them a cluster`, null, () => make(images).then((done) => done && grid.clear()));
    this.grids.push(grid);
    return el("div", { className: "alike" }, grid.element, go);
  }
}
