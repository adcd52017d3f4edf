// Pictures in rows, of which only those in sight are in the page: a list box in which the
// arrows move, space selects, and shift takes all between.

import { drags } from "./drag.js";
import { el } from "./dom.js";

const AHEAD = 600;
const GAP = 8;

export class Grid {
  /** The selected items by their keys, in the order of being selected; grids can share it. */
  chosen;
  /** The place that the keyboard is at. */
  at = 0;
  #tiles = new Map();
  #anchor = 0;
  #columns = 1;
  #cell = { width: 1, height: 1 };

  /**
   * @param source a Source; the grid draws when it knows more
   * @param wish.label what the list is called
   * @param wish.width the least width of a tile in pixels
   * @param wish.words the height below the picture in pixels
   * @param wish.key item → what it is known by
   * @param wish.draw item → {words, content}: what it is called, and its elements
   * @param wish.open what a click, Enter or a double click does with (item, place)
   * @param wish.clickOpens whether a click opens while nothing is selected
   * @param wish.chosen the selection, where it is shared with other grids
   * @param wish.select called when the selection or the place has changed
   * @param wish.drop (items, target) when the selection was dropped on an element
   * @param wish.takes whether tiles are such elements
   * @param signal of the view: when it ends, so does the grid
   */
  constructor(source, wish, signal) {
    this.source = source;
    this.wish = wish;
    this.chosen = wish.chosen ?? new Map();
    this.element = el("div", {
      className: `grid ${wish.className ?? ""}`,
      role: "listbox",
      ariaMultiSelectable: "true",
      ariaLabel: wish.label,
      onkeydown: (event) => this.#pressed(event),
      onclick: (event) => this.#clicked(event),
      ondblclick: (event) => this.#opened(event),
      onfocusin: (event) => this.#focused(event),
    });
    source.then = () => this.refresh();
    addEventListener("scroll", () => this.draw(), { signal, passive: true });
    const sizes = new ResizeObserver(() => this.draw());
    sizes.observe(this.element);
    signal.addEventListener("abort", () => sizes.disconnect());
    drags(this, signal);
  }

  /** The selected items, or else the one that the keyboard is at. */
  get meant() {
    if (this.chosen.size) return [...this.chosen.values()];
    const item = this.source.at(this.at);
    return item && this.hasFocus ? [item] : [];
  }

  get hasFocus() {
    return this.element.contains(document.activeElement);
  }

  /** Draw anew what is known now; what is selected but gone is no longer selected. */
  refresh() {
    this.at = Math.min(this.at, Math.max(0, this.source.total - 1));
    for (const [i, tile] of this.#tiles) {
      const item = this.source.at(i);
      if (!item) this.#drop(i);
      else if (JSON.stringify(item) !== tile.told) this.#fill(tile, item);
    }
    this.draw();
    this.wish.known?.();
  }

  /** Put the tiles in sight, and those near, into the page; take all others out. */
  draw() {
    if (!this.element.isConnected) return;
    this.#measure();
    const { height } = this.#cell;
    const top = -this.element.getBoundingClientRect().top;
    const row = (y) => Math.floor(y / (height + GAP)) * this.#columns;
    const from = Math.max(0, row(top - AHEAD));
    const to = Math.min(Math.max(this.source.total, 1), row(top + innerHeight + AHEAD) + this.#columns);
    if (from < to) this.source.need(from, to);
    const wanted = new Set([this.at]);
    for (let i = from; i < to; i++) wanted.add(i);
    for (const i of this.#tiles.keys()) if (!wanted.has(i)) this.#drop(i);
    for (const i of [...wanted].sort((a, b) => a - b)) this.#place(i);
  }

  #measure() {
    const { width, words } = this.wish;
    const room = this.element.clientWidth;
    this.#columns = Math.max(1, Math.floor((room + GAP) / (width + GAP)));
    const each = Math.floor((room - GAP * (this.#columns - 1)) / this.#columns);
    this.#cell = { width: each, height: each + words };
    const rows = Math.ceil(this.source.total / this.#columns);
    this.element.style.height = `${Math.max(0, rows * (this.#cell.height + GAP) - GAP)}px`;
  }

  /** Where a tile is, in pixels from the grid's corner. */
  box(i) {
    const { width, height } = this.#cell;
    const left = (i % this.#columns) * (width + GAP);
    const top = Math.floor(i / this.#columns) * (height + GAP);
    return { left, top, right: left + width, bottom: top + height };
  }

  /** The places of all tiles that a rectangle touches. */
  within({ left, top, right, bottom }) {
    const { width, height } = this.#cell;
    const columns = [left, right].map((x) => Math.floor(x / (width + GAP)));
    const rows = [top, bottom].map((y) => Math.floor(y / (height + GAP)));
    const found = [];
    for (let row = Math.max(0, rows[0]); row <= rows[1]; row++) {
      for (let column = Math.max(0, columns[0]); column <= Math.min(columns[1], this.#columns - 1); column++) {
        const i = row * this.#columns + column;
        if (i < this.source.total) found.push(i);
      }
    }
    return found;
  }

  #place(i) {
    const item = this.source.at(i);
    if (!item) return;
    if (!this.#tiles.has(i)) this.#tiles.set(i, this.#make(item, i));
    const { element } = this.#tiles.get(i);
    const { left, top } = this.box(i);
    element.style.transform = `translate(${left}px, ${top}px)`;
    element.style.width = `${this.#cell.width}px`;
    element.style.height = `${this.#cell.height}px`;
    element.tabIndex = i === this.at ? 0 : -1;
    element.ariaSelected = String(this.chosen.has(this.wish.key(item)));
    element.ariaSetSize = String(this.source.total);
    if (!element.isConnected) this.#insert(element, i);
  }

  /** In the order of places, as screen readers read it. */
  #insert(element, i) {
    const after = [...this.element.children].find((other) => Number(other.dataset.at) > i);
    this.element.insertBefore(element, after ?? null);
  }

  #make(item, i) {
    const element = el("div", { className: "tile", role: "option", ariaPosInSet: String(i + 1) });
    element.dataset.at = i;
    if (this.wish.takes) element.dataset.drop = "";
    return this.#fill({ element }, item);
  }

  /** Show an item in a tile, which keeps its focus. */
  #fill(tile, item) {
    const { words, content } = this.wish.draw(item);
    tile.told = JSON.stringify(item);
    tile.element.ariaLabel = words;
    tile.element.replaceChildren(...content.filter(Boolean));
    return tile;
  }

  #drop(i) {
    this.#tiles.get(i).element.remove();
    this.#tiles.delete(i);
  }

  /** The place of the tile that an event happened in. */
  place(event) {
    const tile = event.target.closest?.("[data-at]");
    return tile && this.element.contains(tile) ? Number(tile.dataset.at) : null;
  }

  #focused(event) {
    const i = this.place(event);
    if (i === null || i === this.at) return;
    this.at = i;
    this.changed();
  }

  /** Draw the selection, and tell of it. */
  changed() {
    this.draw();
    this.wish.select?.();
  }

  /** Go to a place with the keyboard's focus. */
  async go(i, { extend = false } = {}) {
    const last = this.source.total - 1;
    if (last < 0) return;
    this.at = Math.max(0, Math.min(i, last));
    await this.source.need(this.at, this.at + 1);
    if (extend) await this.range(this.at);
    else this.#anchor = this.at;
    this.#reveal();
    this.changed();
    this.focus();
  }

  /** Take the focus, without which keys mean nothing here. */
  focus() {
    this.draw();
    this.#tiles.get(this.at)?.element.focus({ preventScroll: true });
  }

  #reveal() {
    const { top, bottom } = this.box(this.at);
    const start = this.element.getBoundingClientRect().top;
    const above = document.querySelector(".top").offsetHeight + GAP;
    const below = innerHeight - document.getElementById("bar").offsetHeight - GAP;
    if (start + top < above) scrollBy(0, start + top - above);
    else if (start + bottom > below) scrollBy(0, start + bottom - below);
    this.draw();
  }

  toggle(i) {
    const item = this.source.at(i);
    if (!item) return;
    const key = this.wish.key(item);
    if (!this.chosen.delete(key)) this.chosen.set(key, item);
    this.#anchor = i;
    this.changed();
  }

  /** Select all from the last one that was selected or gone to. */
  async range(to) {
    const [first, last] = [Math.min(this.#anchor, to), Math.max(this.#anchor, to)];
    await this.source.need(first, last + 1);
    for (let i = first; i <= last; i++) this.choose(i);
    this.changed();
  }

  choose(i) {
    const item = this.source.at(i);
    if (item) this.chosen.set(this.wish.key(item), item);
  }

  clear() {
    this.chosen.clear();
    this.changed();
  }

  async all() {
    for (const item of await this.source.all()) if (item) this.chosen.set(this.wish.key(item), item);
    this.changed();
  }

  #clicked(event) {
    const i = this.place(event);
    if (i === null) return;
    this.at = i;
    this.focus();
    if (event.shiftKey) this.range(i);
    else if (event.target.closest(".zoom")) this.wish.open(this.source.at(i), i);
    else if (this.#opens(event)) this.wish.open(this.source.at(i), i);
    else this.toggle(i);
  }

  #opens(event) {
    const asked = event.ctrlKey || event.metaKey || event.target.closest(".check");
    return this.wish.clickOpens && !asked && !this.chosen.size;
  }

  #opened(event) {
    const i = this.place(event);
    if (i !== null && !this.wish.clickOpens && !event.target.closest(".zoom")) this.wish.open(this.source.at(i), i);
  }

  #pressed(event) {
    if (event.altKey || (event.ctrlKey && event.key !== "a") || event.metaKey) return;
    const page = Math.max(1, Math.floor(innerHeight / (this.#cell.height + GAP)) - 1) * this.#columns;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
    const does = {
      " ": () => (event.shiftKey ? this.range(this.at) : this.toggle(this.at)),
      Enter: () => this.source.at(this.at) && this.wish.open(this.source.at(this.at), this.at),
      a: () => this.all(),
    };
    if (event.key in steps) this.#step(steps[event.key], event.shiftKey);
    else if (event.key in does) does[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #step(step, extend) {
    if (step !== -this.#columns || this.at + step >= 0) this.go(this.at + step, { extend });
  }
}
