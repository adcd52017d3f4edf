// A dialog that asks for a name or a cluster, and completes it.

import { button, el, picture } from "./dom.js";

/**
 * Ask for one of the options that a text leads to.
 *
 * @param title what is asked
 * @param value the text to begin with
 * @param options (text) → [{label, note, n, gives}], the likeliest first
 * @returns what the option gives, or null
 */
export function choose({ title, value = "", options }) {
  const before = document.activeElement;
  return new Promise((done) => {
    const list = el("ul", { id: "options", role: "listbox", ariaLabel: "Choices" });
    const input = el("input", {
      id: "choice", type: "text", value, autocomplete: "off", spellcheck: false, role: "combobox",
      ariaExpanded: "true", ariaAutoComplete: "list", "aria-controls": "options",
    });
    const form = el("form", { method: "dialog" }, el("label", { htmlFor: "choice" }, title), input, list,
      el("p", { className: "buttons" }, button("Cancel", null, () => dialog.close()), el("button", { type: "submit", className: "main" }, "OK")));
    const dialog = el("dialog", { className: "choose", ariaLabel: title }, form);
    const choices = new Choices(list, input, options);
    list.addEventListener("click", ({ target }) => choices.click(target) && finish());
    let given = null;
    const finish = async () => {
      await choices.ready;
      given = choices.given;
      dialog.close();
    };
    form.addEventListener("submit", (event) => (event.preventDefault(), finish()));
    input.addEventListener("input", () => choices.look());
    input.addEventListener("keydown", (event) => choices.pressed(event));
    dialog.addEventListener("close", () => (dialog.remove(), before?.focus(), done(given)));
    document.body.append(dialog);
    dialog.showModal();
    input.select();
    choices.look();
  });
}

/** The options below the text, one of which is the active one. */
class Choices {
  ready = Promise.resolve();
  #shown = [];
  #active = 0;
  #asked = 0;

  constructor(list, input, options) {
    Object.assign(this, { list, input, options });
  }

  get given() {
    return this.#shown[this.#active]?.gives ?? null;
  }

  look() {
    const asked = ++this.#asked;
    this.ready = this.options(this.input.value.trim()).then((options) => {
      if (asked !== this.#asked) return;
      this.#shown = options;
      this.list.replaceChildren(...options.map(option));
      this.#mark(0);
    });
  }

  click(target) {
    const at = [...this.list.children].indexOf(target.closest("li"));
    if (at >= 0) this.#mark(at);
    return at >= 0;
  }

  pressed(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !this.#shown.length) return;
    event.preventDefault();
    this.#mark((this.#active + step + this.#shown.length) % this.#shown.length);
  }

  #mark(at) {
    this.#active = at;
    for (const [i, item] of [...this.list.children].entries()) item.ariaSelected = String(i === at);
    const active = this.list.children[at];
    active?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", active?.id ?? "");
  }
}

function option({ label, note, n }, i) {
  const small = el("span", { className: "small" }, n === undefined ? null : picture(n));
  return el("li", { id: `option-${i}`, role: "option" }, small, el("span", {}, label), el("span", { className: "quiet" }, note ?? ""));
}
