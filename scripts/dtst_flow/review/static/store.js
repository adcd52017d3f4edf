// What all views share: the state of the review, kept in step with the server.
//
// Events of `store`: "state" when it was read again; "changed" when decisions changed;
// "clustering" when images have other numbers; "run" when an apply went on; "gone" and
// "back" when the server went and came; "go" when another view is to be shown.

import { get, Gone, Refused } from "./api.js";

/** Milliseconds until a server that is gone is tried again. */
const PATIENCE = 1500;
/** Milliseconds after a decision until the rest of the state is asked for. */
const PAUSE = 300;

class Store extends EventTarget {
  state = null;
  /** Why there is no speaking to the server, or null. */
  trouble = null;
  #events = null;
  /** Grows with each decision: what was asked for before it is old. */
  #turn = 0;
  #later = null;

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Show another view, at once: the next key is meant for that. */
  go(address) {
    location.hash = address;
    this.tell("go");
  }

  /** Call `then` at each of the events until the signal of the view says stop. */
  on(names, then, signal) {
    for (const name of names.split(" ")) this.addEventListener(name, (e) => then(e.detail), { signal });
  }

  /** Read the state, and tell of what differs from what was known. */
  async refresh() {
    const turn = this.#turn;
    let state;
    try {
      state = await get("/api/state");
    } catch (error) {
      this.lost(error);
      return;
    }
    if (turn !== this.#turn) return this.refresh();
    const before = this.state;
    this.state = state;
    this.#found();
    this.tell("state");
    if (!before) return;
    if (before.clustering !== this.state.clustering) this.tell("clustering");
    else if (before.edits !== this.state.edits || before.facts !== this.state.facts) this.tell("changed");
  }

  /** Take over what an action answered. */
  took({ edits, undo, redo }) {
    this.#turn++;
    Object.assign(this.state, { edits, undo, redo });
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.refresh(), PAUSE);
    this.tell("state");
    this.tell("changed");
  }

  /** Note that the server is gone or no longer takes this page, and try until it does. */
  lost(error) {
    const refused = error instanceof Refused && [401, 403].includes(error.status);
    if (!refused && !(error instanceof Gone)) throw error;
    const first = this.trouble === null;
    this.trouble = refused ? "token" : "gone";
    this.tell("gone");
    if (first) setTimeout(() => this.#again(), PATIENCE);
  }

  async #again() {
    await this.refresh();
    if (this.trouble) setTimeout(() => this.#again(), PATIENCE);
  }

  #found() {
    if (this.trouble === null) return;
    this.trouble = null;
    this.listen();
    this.tell("back");
  }

  /** Hear of what others change: another page, a hand, a run. */
  listen() {
    this.#events?.close();
    this.#events = new EventSource("/api/events");
    this.#events.addEventListener("message", ({ data }) => this.#heard(JSON.parse(data)));
    this.#events.addEventListener("error", () => this.refresh());
  }

  #heard(news) {
    const { edits, clustering, facts } = this.state;
    if (news.run !== undefined) {
      this.state.run = news.run;
      this.tell("run");
    }
    const known = { edits, clustering, facts };
    if (Object.keys(known).some((name) => name in news && news[name] !== known[name])) this.refresh();
  }
}

export const store = new Store();
