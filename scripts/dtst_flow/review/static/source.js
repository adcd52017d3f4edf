// A long list on the server, of which only the pages that are looked at are here.

import { Refused } from "./api.js";

export class Source {
  total = 0;
  #pages = new Map();
  #asked = new Map();
  #generation = 0;

  /**
   * @param load (offset, limit) → {total, items}
   * @param then called when more is known
   */
  constructor(load, then = () => {}, size = 200) {
    this.load = load;
    this.then = then;
    this.size = size;
  }

  /** The item at a place, if it is known already. */
  at(index) {
    return this.#pages.get(Math.floor(index / this.size))?.[index % this.size];
  }

  /** Wait until the items from one place to before another are known. */
  need(from, to) {
    const pages = [];
    for (let page = Math.floor(from / this.size); page * this.size < to; page++) pages.push(this.#page(page));
    return Promise.all(pages);
  }

  /** Ask again for all, when it is looked at; what is known stays until then. */
  stale() {
    this.#generation++;
    this.#asked.clear();
  }

  /** All items, for all to be selected. */
  async all() {
    await this.need(0, Math.max(1, this.total));
    return Array.from({ length: this.total }, (_, i) => this.at(i));
  }

  #page(page) {
    if (!this.#asked.has(page)) this.#asked.set(page, this.#fetch(page));
    return this.#asked.get(page);
  }

  async #fetch(page) {
    const generation = this.#generation;
    try {
      const { total, items } = await this.load(page * this.size, this.size);
      if (generation !== this.#generation) return this.#page(page);
      this.total = total;
      this.#pages.set(page, items);
    } catch (error) {
      this.#asked.delete(page);
      if (!(error instanceof Refused && error.status === 404)) throw error;
      this.total = 0;
    }
    this.then();
  }
}
