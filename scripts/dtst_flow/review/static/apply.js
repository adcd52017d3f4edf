// Cluster again with what was decided, and see in pictures what that changed.

import { toast } from "./act.js";
import { get, post, Gone } from "./api.js";
import { button, count, el, picture } from "./dom.js";
import { store } from "./store.js";

const PAUSE = 1000;
const SHOWN = 24;

export function show(main, signal) {
  const page = new Apply(main, signal);
  page.read();
  store.on("run", () => page.read(), signal);
  store.on("state", () => page.decisions(), signal);
  return { title: "Apply", commands: [{ key: "Enter", words: "Apply", help: "cluster again with what was decided", does: () => page.start() }] };
}

class Apply {
  #timer = null;
  #state = null;

  constructor(main, signal) {
    Object.assign(this, { main, signal });
    this.status = el("div", { className: "run", role: "status" });
    this.changes = el("div", {});
    this.go = button("Apply", "Enter", () => this.start(), { className: "main" });
    this.pending = el("span", { role: "status" });
    this.faults = el("ul", {});
    main.replaceChildren(
      el("h1", {}, "Apply"),
      el("p", { className: "hint" }, "Clusters again by what labels.csv says now. Nothing is looked at twice, so that takes seconds."),
      el("p", { className: "buttons" }, this.go, this.pending), el("section", { className: "faults" }, el("h2", {}, "Lines that do nothing"), this.faults), this.status, this.changes,
    );
    this.decisions();
    this.go.focus();
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Tell what no run has read yet, and what will do nothing. */
  decisions() {
    const { pending, faults } = store.state;
    this.pending.textContent = pending ? `${count(pending, "line")} of labels.csv to apply` : "";
    this.faults.replaceChildren(...faults.map((fault) => el("li", {}, fault)));
    this.faults.parentElement.hidden = !faults.length;
  }

  async start() {
    if (this.go.disabled) return;
    this.go.disabled = true;
    this.changes.replaceChildren();
    try {
      await post("/api/apply");
    } catch (error) {
      if (error instanceof Gone) store.lost(error);
      else toast([error.message, error.hint].filter(Boolean).join(" "), { bad: true });
    }
    this.read();
  }

  /** Look how far the run is, until it is over. */
  async read() {
    clearTimeout(this.#timer);
    const run = await get("/api/run").catch(() => null);
    if (!run || this.signal.aborted) return;
    const running = run.state === "running";
    this.go.disabled = running;
    this.status.replaceChildren(...words(run));
    if (running) this.#timer = setTimeout(() => this.read(), PAUSE);
    else if (run.state !== this.#state) this.#differences(run.state);
    this.#state = run.state;
  }

  async #differences(state) {
    if (state !== "done") return;
    const found = await get("/api/changes").catch(() => null);
    if (found && !this.signal.aborted) this.changes.replaceChildren(...pictures(found));
  }
}

function words({ state, stage, done, total, seconds, said = [], tail = [] }) {
  if (state === "none") return [];
  const failed = state === "failed";
  const log = failed && tail.length ? el("details", { open: true }, el("summary", {}, "The end of its log"), el("pre", {}, tail.join("\n"))) : "";
  if (state !== "running") {
    const title = failed ? "It failed; the clusters are as they were." : `Done${seconds ? ` in ${Math.round(seconds)} s` : ""}.`;
    return [el("p", { className: failed ? "bad" : "" }, el("b", {}, title)), ...said.map((sentence) => el("p", {}, sentence)), log];
  }
  const bar = el("progress", { ariaLabel: "Progress", ...(total ? { max: total, value: done } : {}) });
  return [el("p", {}, stage || "Starting", total ? ` ${done} of ${total}` : ""), bar];
}

/** What moved, from where to where, and what is new or gone. */
function pictures({ moved = [], new: fresh = [], gone = [] }) {
  const ways = new Map();
  for (const { n, from, to } of moved) {
    const way = JSON.stringify([from, to]);
    ways.set(way, [...(ways.get(way) ?? []), n]);
  }
  const numbers = fresh.map((image) => image.n ?? image);
  const sections = [...ways].sort((a, b) => b[1].length - a[1].length).map(([way, images]) => strip(JSON.parse(way).join(" → "), images));
  if (numbers.length) sections.push(strip("New", numbers));
  if (gone.length) sections.push(el("section", {}, el("h3", {}, `Gone: ${count(gone.length, "image")}`)));
  if (!sections.length) return [];
  return [el("h2", {}, "What changed last ", el("span", { className: "quiet" }, count(moved.length, "image moved", "images moved"))), ...sections];
}

function strip(title, numbers) {
  const list = el("ul", { className: "strip" });
  const section = el("section", { ariaLabel: title }, el("h3", {}, title, " ", el("span", { className: "quiet" }, numbers.length.toLocaleString("en"))), list);
  const fill = (from) => {
    list.append(...numbers.slice(from, from + SHOWN).map((n) => el("li", {}, el("span", { className: "picture" }, picture(n)))));
    const left = numbers.length - from - SHOWN;
    if (left > 0) section.append(button(`${left} more`, null, ({ currentTarget }) => (currentTarget.remove(), fill(from + SHOWN))));
  };
  fill(0);
  return section;
}
