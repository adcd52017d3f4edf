// One cluster: all its members, and where those go that do not belong.

import { act } from "./act.js";
import { get } from "./api.js";
import { showBar } from "./bar.js";
import { listing, rename } from "./clusters.js";
import { address, button, count, el, label, picture } from "./dom.js";
import { Grid } from "./grid.js";
import { commands as imageCommands, make, moveTo, reject, tiles, what } from "./images.js";
import { Source } from "./source.js";
import { store } from "./store.js";
import { askCluster, chosenLast, clusters } from "./targets.js";
import { look } from "./viewer.js";

const ORDERS = { best: "Best first", doubt: "Most doubtful first" };
const RAIL = 12;

/** The order that was wanted last. */
let order = "best";

export function show(main, signal, id) {
  const view = { title: "Cluster", cluster: null };
  const members = new Source(async (offset, limit) => {
    const answer = await get(`/api/clusters/${encodeURIComponent(id)}`, { order, offset, limit });
    view.cluster = answer.cluster;
    return { total: answer.total, items: answer.members };
  });
  const head = el("div", { className: "head" });
  const rail = el("aside", { className: "rail", ariaLabel: "Where to" });
  const grid = new Grid(members, {
    ...tiles, label: "Members",
    open: (_, i) => look(grid, i, commands),
    select: () => showBar(grid.chosen.size && what([...grid.chosen.values()], "image", ({ n }) => n), commands),
    drop: (images, target) => targets.get(target)(images).then((done) => done && grid.clear()),
    known: () => known(),
  }, signal);
  const own = ownCommands(view, grid, members, main);
  const commands = [...imageCommands(grid, () => view.cluster), { key: "Escape", words: "Clear", help: "select nothing, then back to all clusters", bar: true, does: () => (grid.chosen.size ? grid.clear() : store.go("#/clusters")) }, ...own];
  const targets = new Map();
  const known = () => {
    if (!view.cluster) return main.replaceChildren(el("h1", {}, "No such cluster"), el("p", {}, el("a", { href: "#/clusters" }, "All clusters")));
    document.title = `${label(view.cluster)} · ${store.state.dataset}`;
    heading(head, view.cluster, own);
  };
  main.replaceChildren(head, el("div", { className: "beside" }, grid.element, rail));
  const reload = () => (members.stale(), grid.draw(), fill(rail, targets, view, grid));
  store.on("changed", reload, signal);
  members.need(0, 1).then(() => {
    if (signal.aborted || !view.cluster) return;
    grid.focus();
    fill(rail, targets, view, grid);
  });
  return Object.assign(view, { commands, grid });
}

function heading(head, cluster, own) {
  const { name, folder, size, quality, doubtful, near, decided } = cluster;
  const facts = [name && folder, count(size, "image"), quality !== null && `quality ${quality.toFixed(2)}`, doubtful > 0 && `${doubtful} doubtful`, decided];
  const focused = document.activeElement;
  if (head.contains(focused) && head.dataset.told === JSON.stringify(cluster)) return;
  head.dataset.told = JSON.stringify(cluster);
  head.replaceChildren(
    el("div", { className: "title" },
      el("p", { className: "path" }, el("a", { href: "#/clusters" }, "Clusters"), ...steps(cluster)),
      el("h1", {}, label(cluster), " ", el("span", { className: "quiet" }, facts.filter(Boolean).join(" · ")))),
    near ? el("p", { className: "near" }, "Perhaps the same as ", el("a", { href: address(near) }, el("span", { className: "small" }, picture(near.medoid)), ` ${label(near)}`), " ", button("Merge both", null, () => act("merge", { clusters: [cluster.id, near.id] }))) : "",
    el("p", { className: "buttons" }, ...own.filter(({ button: shown }) => shown).map((c) => button(c.words, c.key, c.does)), sorting(own)),
  );
}

function sorting(own) {
  const { does } = own.find(({ key }) => key === "s");
  return el("label", {}, el("span", { className: "unseen" }, "Order"), el("select", { ariaKeyShortcuts: "s", onchange: ({ target }) => does(target.value) },
    ...Object.entries(ORDERS).map(([value, words]) => el("option", { value, selected: value === order }, words))));
}

/** Links to the clusters before and after, in the order of the list. */
function steps(cluster) {
  return [["‹", -1, "before"], ["›", 1, "after"]].map(([sign, step, words]) => {
    const other = neighbour(cluster, step);
    return other ? el("a", { href: address(other), ariaLabel: `The cluster ${words}, ${label(other)}` }, sign) : el("span", { className: "quiet", ariaHidden: "true" }, sign);
  });
}

function neighbour(cluster, step) {
  for (let i = 0; i < listing.total; i++) if (listing.at(i)?.id === cluster.id) return listing.at(i + step);
  return null;
}

function ownCommands(view, grid, members, main) {
  const turn = (step) => {
    const other = neighbour(view.cluster, step);
    if (other) store.go(address(other));
  };
  const sort = (value = order === "best" ? "doubt" : "best") => {
    order = value;
    main.querySelector(".head select").value = order;
    members.stale();
    grid.at = 0;
    grid.draw();
  };
  const ids = () => ({ clusters: [view.cluster.id] });
  return [
    { key: "r", words: "Name…", help: "give the cluster a name", button: true, does: () => rename([view.cluster]) },
    { key: "g", words: "Merge with…", help: "the cluster and another are one", button: true, does: () => mergeWith(view.cluster) },
    { key: "k", words: "Keep", help: "right as it is: its images stay together", button: true, does: () => act("keep", ids()) },
    { key: "X", words: "Reject all", help: "the cluster is not wanted", button: true, does: () => act("reject", ids()) },
    { key: "s", words: "Order", help: "the best or the most doubtful first", does: sort },
    { key: "[", words: "Before", help: "the cluster before, as listed", does: () => turn(-1) },
    { key: "]", words: "After", help: "the cluster after", does: () => turn(1) },
  ];
}

async function mergeWith({ id, near, ...cluster }) {
  const chosen = await askCluster(`Merge ${label(cluster)} with`, { first: near ? [near] : [], except: [id], fresh: false });
  if (chosen) act("merge", { clusters: [chosen.cluster.id, id] });
}

/** Places to click on or to drop on: what is likely, then what has a name. */
async function fill(rail, targets, view, grid) {
  const likely = [view.cluster.near, chosenLast()].filter(Boolean);
  const known = new Map([...likely, ...(await clusters("", RAIL))].map((c) => [c.id, c]));
  known.delete(view.cluster.id);
  targets.clear();
  const target = (content, does) => {
    const made = el("button", { type: "button", "data-drop": "", onclick: () => grid.chosen.size && does([...grid.chosen.values()]).then((done) => done && grid.clear()) }, ...content);
    targets.set(made, does);
    return made;
  };
  rail.replaceChildren(
    el("p", { className: "hint" }, "Drag what is selected to:"),
    target(["Rejected"], reject),
    target(["New cluster"], (images) => make(images)),
    ...[...known.values()].slice(0, RAIL).map((c) => target([el("span", { className: "small" }, picture(c.medoid)), el("span", {}, label(c))], (images) => moveTo(images, c))),
  );
}
