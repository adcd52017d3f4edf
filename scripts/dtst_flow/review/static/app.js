// The page: which view is shown, the keys, and how it stands with the server.

import { redo, toast, undo } from "./act.js";
import { Gone, Refused } from "./api.js";
import * as apply from "./apply.js";
import { showBar } from "./bar.js";
import * as cluster from "./cluster.js";
import * as clusters from "./clusters.js";
import { el } from "./dom.js";
import { help } from "./help.js";
import * as questions from "./questions.js";
import * as rest from "./rest.js";
import { store } from "./store.js";

const TABS = { clusters: "Clusters", questions: "Questions", rest: "Noise and rejected", apply: "Apply" };
const VIEWS = { clusters, cluster, questions, rest, apply };
const TROUBLE = {
  gone: "dtst review does not answer. What you decided is safe in labels.csv. This page goes on as soon as it runs again.",
  token: "dtst review was started anew. Open the address that it printed.",
};

const at = (id) => document.getElementById(id);
const EVERYWHERE = [
  { key: "z", words: "Undo", help: "take back what was decided last", does: undo },
  { key: "Z", words: "Redo", help: "do it again after all", does: redo },
  { key: "/", words: "Search", help: "among clusters", does: search },
  ...Object.entries(TABS).map(([name, words], i) => ({ key: String(i + 1), words, help: "go there", does: () => store.go(`#/${name}`) })),
  { key: "?", words: "Keys", help: "this list", does: () => help(view, EVERYWHERE) },
];

let view = { title: "", commands: [] };
let ended = new AbortController();
/** The address of what is shown. */
let shown = "";

/** Show the view that the address names; what it began ends with the next one. */
function route() {
  if (!store.state) return;
  shown = location.hash;
  ended.abort();
  ended = new AbortController();
  showBar(null);
  const [name, ...argument] = location.hash.slice(2).split("/");
  const known = Object.hasOwn(VIEWS, name) ? name : "clusters";
  scrollTo(0, 0);
  at("main").focus({ preventScroll: true });
  view = VIEWS[known].show(at("main"), ended.signal, decoded(argument.join("/")));
  document.title = `${view.title} · ${store.state.dataset}`;
  for (const link of at("tabs").children) {
    const current = link.dataset.view === (known === "cluster" ? "clusters" : known);
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function search() {
  if (view.search) return view.search();
  store.go("#/clusters");
  view.search();
}

function pressed(event) {
  const typing = event.target.matches("input, select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" && event.target.matches("a, button, summary")) return;
  const command = [...view.commands, ...EVERYWHERE].find(({ key }) => key === event.key);
  if (!command) return;
  event.preventDefault();
  command.does();
}

function showState() {
  const { dataset, bucket, undo: back, redo: again, pending } = store.state;
  at("dataset").replaceChildren(el("b", {}, dataset), ` ${bucket}`);
  at("undo").disabled = !back;
  at("redo").disabled = !again;
  at("tabs").querySelector("[data-view=apply]").classList.toggle("pending", Boolean(pending));
}

function showTrouble() {
  at("banner").hidden = !store.trouble;
  at("banner").textContent = TROUBLE[store.trouble] ?? "";
}

/** What no view expects: the server is gone, or refused what it should answer. */
function unexpected(event) {
  const { reason } = event;
  if (reason instanceof Gone) store.lost(reason);
  else if (reason instanceof Refused) toast([reason.message, reason.hint].filter(Boolean).join(" "), { bad: true });
  else return;
  event.preventDefault();
}

async function start() {
  at("tabs").replaceChildren(...Object.entries(TABS).map(([name, words], i) => {
    const link = el("a", { href: `#/${name}`, ariaKeyShortcuts: String(i + 1) }, words);
    link.dataset.view = name;
    return link;
  }));
  document.querySelector(".skip").addEventListener("click", (event) => (event.preventDefault(), (view.grid ?? at("main")).focus()));
  at("undo").addEventListener("click", undo);
  at("redo").addEventListener("click", redo);
  at("help").addEventListener("click", () => help(view, EVERYWHERE));
  store.on("state", showState);
  store.on("gone back", showTrouble);
  store.on("clustering", route);
  store.on("back", route);
  store.on("go", route);
  addEventListener("hashchange", () => location.hash === shown || route());
  document.addEventListener("keydown", pressed);
  addEventListener("unhandledrejection", unexpected);
  await store.refresh();
  // Else it is shown when the server is back.
  if (!store.state) return;
  store.listen();
  route();
}

start();
