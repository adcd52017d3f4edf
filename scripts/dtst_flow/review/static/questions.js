// "The same?", pair by pair, the answers that change most first.

import { act } from "./act.js";
import { get } from "./api.js";
import { address, button, count, el, label, picture, thumb } from "./dom.js";
import { store } from "./store.js";

const OTHERS = 5;

export function show(main, signal) {
  const page = new Questions(main, signal);
  page.read();
  store.on("changed", () => page.read(), signal);
  const commands = [
    { key: "y", words: "Yes, the same", help: "the same", main: true, does: () => page.answer("yes") },
    { key: "n", words: "No", help: "not the same", main: true, does: () => page.answer("no") },
    { key: "s", words: "Skip", help: "neither is said", main: true, does: () => page.answer("skip") },
  ];
  page.commands = commands;
  return { title: "Questions", commands };
}

class Questions {
  commands = [];
  #waiting = [];
  /** Keys of answers that are on their way. */
  #sent = new Set();
  #answered = 0;
  #shown = null;

  constructor(main, signal) {
    Object.assign(this, { main, signal });
    main.replaceChildren(el("p", { className: "hint" }, "Looking for what to ask …"));
  }

  /** Ask for the questions again; the one that is shown stays while it is one. */
  async read() {
    const asked = await get("/api/questions", { limit: 20 });
    if (this.signal.aborted) return;
    const shown = this.#waiting[0]?.key;
    const open = asked.filter(({ key }) => !this.#sent.has(key));
    this.#waiting = [...open.filter(({ key }) => key === shown), ...open.filter(({ key }) => key !== shown)];
    this.#draw();
  }

  async answer(answer) {
    const question = this.#waiting.shift();
    if (!question) return;
    this.#sent.add(question.key);
    this.#answered += answer === "skip" ? 0 : 1;
    this.#draw();
    const done = await act("answer", { key: question.key, answer });
    this.#sent.delete(question.key);
    if (!done) this.read();
  }

  #draw() {
    const [question, next] = this.#waiting;
    if (question && question.key === this.#shown) return;
    this.#shown = question?.key ?? null;
    if (!question) return this.main.replaceChildren(el("h1", {}, "No questions"), el("p", { className: "hint" }, this.#sent.size ? "Looking for more …" : "Nothing is left whose answer would change much."));
    const [a, b] = [side(question.a, question.of_a), side(question.b, question.of_b)];
    this.main.replaceChildren(
      el("h1", { ariaLive: "polite" }, "The same? ", el("span", { className: "quiet" }, `distance ${question.distance.toFixed(2)}`)),
      el("div", { className: "pair" }, a, b),
      el("p", { className: "buttons answers" }, ...this.commands.map((c) => button(c.words, c.key, c.does, { className: c.key === "y" ? "main" : "" }))),
      el("p", { className: "hint" }, this.#answered ? `${count(this.#answered, "answer")} given` : "Each answer is saved at once."),
    );
    for (const n of next ? [next.a, next.b] : []) new Image().src = thumb(n, 320);
  }
}

/** One image with whom it stands for: its cluster and the best of that. */
function side(n, cluster) {
  const others = el("ul", { className: "others" });
  const whose = cluster ? el("a", { href: address(cluster) }, label(cluster)) : "noise";
  const size = cluster ? ` ${count(cluster.size, "image")}` : "";
  if (cluster) fill(others, cluster, n);
  return el("figure", {}, el("span", { className: "picture" }, picture(n, 320)), el("figcaption", {}, whose, el("span", { className: "quiet" }, size)), others);
}

async function fill(others, { id }, n) {
  const { members } = await get(`/api/clusters/${encodeURIComponent(id)}`, { limit: OTHERS + 1 }).catch(() => ({ members: [] }));
  others.append(...members.filter((m) => m.n !== n).slice(0, OTHERS).map((m) => el("li", { className: "small" }, picture(m.n))));
}
