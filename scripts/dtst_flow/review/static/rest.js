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
  const noise = new Source(async (offset, limit) => {
    const answer = await get("/api/noise", { offset, limit });
    if (!offset) groups.read(answer.groups);
    return { total: answer.total, items: answer.rest };
  });
  const rejected = new Source(async (offset, limit) => {
    const answer = await get("/api/rejected", { offset, limit });
    return { total: answer.total, items: answer.images };
  });
  const groups = new Groups(view, signal);
  const sections = [section(view, "Noise", "Images in no cluster.", noise, usual, signal), section(view, "Rejected", "Not wanted: in no cluster, until taken back.", rejected, back, signal)];
  main.replaceChildren(el("h1", { className: "unseen" }, view.title), groups.element, ...sections.map(({ element }) => element));
  for (const { grid } of sections) grid.draw();
  const reload = () => {
    for (const source of [noise, rejected]) source.stale();
    for (const { grid } of sections) grid.draw();
    // The groups come with the first page, which need not be in sight.
    noise.need(0, 1);
  };
  store.on("changed", reload, signal);
  view.commands = sections[0].commands;
  return view;
}

function section(view, title, hint, source, commandsOf, signal) {
  const number = el("span", { className: "quiet" });
  const made = gridOf(view, title, source, commandsOf, signal);
  made.grid.wish.known = () => {
    number.textContent = source.total.toLocaleString("en");
    made.element.hidden = !source.total;
  };
  made.element = el("section", { ariaLabel: title }, el("h2", {}, `${title} `, number), el("p", { className: "hint" }, hint), made.grid.element);
  return made;
}

/** A grid whose commands are those of the view while it has the focus or a selection. */
function gridOf(view, label, source, commandsOf, signal) {
  const grid = new Grid(source, {
    ...tiles, label,
    open: (_, i) => look(grid, i, commands),
    select: () => {
      view.grid = grid;
      view.commands = commands;
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

/** Images in noise that are alike, each such group with what is likely. */
class Groups {
  #all = [];
  #shown = SHOWN;
  #told = "";
  #grids = [];

  constructor(view, signal) {
    Object.assign(this, { view, signal });
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
    this.#grids = [];
    this.element.hidden = !this.#all.length;
    this.element.replaceChildren(
      el("h2", {}, "Alike ", el("span", { className: "quiet" }, count(this.#all.length, "group"))),
      el("p", { className: "hint" }, "Images in no cluster that are near to each other. Select some of a group to mean only these."),
      el("div", {}, ...this.#all.slice(0, this.#shown).map((images) => this.#group(images))),
      left > 0 ? button(`${left} more`, null, () => ((this.#shown += SHOWN), this.#draw())) : "",
    );
    for (const grid of this.#grids) grid.draw();
  }

  /** All of a group are meant until some are selected out of it. */
  #group(images) {
    const source = new Source(async () => ({ total: images.length, items: images }));
    const { grid } = gridOf(this.view, `${images.length} alike`, source, usual, this.signal);
    const meant = () => (grid.chosen.size ? [...grid.chosen.values()] : images);
    const go = button("", null, () => make(meant()).then((done) => done && grid.clear()));
    const say = () => (go.textContent = `${grid.chosen.size ? `${meant().length} selected` : `${images.length} alike`}: make them a cluster`);
    const select = grid.wish.select;
    grid.wish.select = () => (select(), say());
    say();
    this.#grids.push(grid);
    return el("div", { className: "alike" }, grid.element, go);
  }
}
