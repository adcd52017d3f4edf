// Decisions: sent one after the other, told in a toast, undone from there.

import { post, Gone } from "./api.js";
import { button, el } from "./dom.js";
import { store } from "./store.js";

const SHOWN = 8000;
const LINES = 2;

let queue = Promise.resolve();

/** Send after all that was asked for before; whether it was done. */
function send(path, body) {
  const sent = queue.then(async () => {
    try {
      const { clustering, edits, undo: before } = store.state;
      const done = await post(path, body && { clustering, edits, ...body });
      store.took(done);
      return { ...done, undoes: done.undo > before };
    } catch (error) {
      if (error instanceof Gone) {
        store.lost(error);
        toast("Not saved: the server does not answer.", { bad: true });
      } else {
        toast([error.message, error.hint].filter(Boolean).join(" "), { bad: true });
        store.refresh();
      }
      return null;
    }
  });
  queue = sent;
  return sent;
}

/** Do something and say what was written; null where it could not be done. */
export async function act(action, what) {
  const done = await send("/api/act", { action, ...what });
  if (done) toast(done.said, done);
  return done;
}

export async function undo() {
  const done = store.state.undo > 0 && (await send("/api/undo"));
  if (done) toast(`Undone. ${done.said ?? ""}`);
}

export async function redo() {
  const done = store.state.redo > 0 && (await send("/api/redo"));
  if (done) toast(`Done again. ${done.said ?? ""}`, { undoes: true });
}

/** Say something at the foot of the page; only the last such thing stays there. */
export function toast(words, { lines = [], undoes = false, bad = false } = {}) {
  const shown = el("div", { className: bad ? "toast bad" : "toast" }, el("p", {}, words));
  for (const line of lines.slice(0, LINES)) shown.append(el("p", { className: "line" }, line.filter(Boolean).join(", ")));
  if (lines.length > LINES) shown.append(el("p", { className: "line" }, "…"));
  const close = () => shown.remove();
  if (undoes) shown.append(button("Undo", "z", () => (close(), undo())));
  shown.append(button("×", null, close, { ariaLabel: "Close", className: "close" }));
  // A dialog that is open covers the foot, and has one of its own.
  [...document.querySelectorAll(".toasts")].at(-1).replaceChildren(shown);
  if (!bad) later(shown, close);
}

/** Close after a while, but not under the pointer or while it has the focus. */
function later(shown, close) {
  const held = () => shown.matches(":hover, :focus-within");
  const timer = setInterval(() => {
    if (held()) return;
    clearInterval(timer);
    close();
  }, SHOWN);
}
