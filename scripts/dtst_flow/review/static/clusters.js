// All clusters by their medoids: several are one, have a name, are not wanted, or right.

import { act } from "./act.js";
import { get } from "./api.js";
import { showBar } from "./bar.js";
import { address, count, el, label, picture } from "./dom.js";
import { Grid } from "./grid.js";
import { what } from "./images.js";
import { Source } from "./source.js";
import { store } from "./store.js";
import { askCluster, askName } from "./targets.js";

const SORTS = { size: "Largest first", doubt: "Most doubtful first", quality: "Best quality first", name: "By name" };
const SHOWS = { all: "All", unnamed: "Without a name", doubtful: "With doubtful members", small: "Small" };
const PAUSE = 200;

/** What can be decided of a cluster that stays. */
const STAYS = ["named", "kept"];

/** What was looked for and where, for when the view is come back to. */
const wanted = { sort: "size", show: "all", q: "" };
const place = { at: 0, scroll: 0 };

/** The list as it is looked at, in which one cluster leads to the next. */
export const listing = new Source(async (offset, limit) => {
  const { total, clusters } = await get("/api/clusters", { ...wanted, offset, limit });
  return { total, items: clusters };
});

export function show(main, signal) {
  const known = el("span", { className: "quiet", role: "status" });
  const grid = new Grid(listing, {
    label: "Clusters", one: "cluster", className: "clusters", width: innerWidth < 600 ? 108 : 132, words: 64, key: ({ id }) => id, draw, clickOpens: true, takes: true,
    open: (cluster) => store.go(address(cluster)),
    select: () => showBar(grid.chosen.size && what([...grid.chosen.values()], "cluster", (c) => c.medoid), commands),
    drop: (clusters, target) => dropped(grid, clusters, target),
    known: () => (known.textContent = count(listing.total, "cluster")),
  }, signal);
  const commands = commandsFor(grid);
  main.replaceChildren(el("h1", { className: "unseen" }, "Clusters"), controls(grid, known), grid.element);
  grid.element.addEventListener("click", (event) => beside(grid, event), { capture: true, signal });
  store.on("changed", () => (listing.stale(), grid.draw()), signal);
  comeBack(grid, signal);
  return { title: "Clusters", commands, grid, search: () => main.querySelector("input").focus() };
}

/** Ask anew, and go where the view was left. */
async function comeBack(grid, signal) {
  grid.at = place.at;
  listing.stale();
  await listing.need(place.at, place.at + 1);
  if (signal.aborted) return;
  grid.refresh();
  scrollTo(0, place.scroll);
  if (document.activeElement === document.body || document.activeElement.id === "main") grid.focus();
  const keep = () => Object.assign(place, { at: grid.at, scroll: scrollY });
  addEventListener("scroll", keep, { signal, passive: true });
  grid.element.addEventListener("focusin", keep, { signal });
}

function controls(grid, known) {
  let pause;
  const change = (name, value) => {
    wanted[name] = value;
    listing.stale();
    scrollTo(0, 0);
    grid.at = 0;
    grid.chosen.clear();
    grid.changed();
  };
  const choice = (name, words, options) =>
    el("label", {}, el("span", { className: "unseen" }, words), el("select", { onchange: ({ target }) => change(name, target.value) },
      ...Object.entries(options).map(([value, text]) => el("option", { value, selected: wanted[name] === value }, text))));
  const search = el("input", {
    type: "search", value: wanted.q, placeholder: "Search", ariaLabel: "Search by name, folder or id", ariaKeyShortcuts: "/",
    oninput: ({ target }) => (clearTimeout(pause), (pause = setTimeout(() => change("q", target.value.trim()), PAUSE))),
    onkeydown: ({ key }) => ["Enter", "ArrowDown", "Escape"].includes(key) && grid.focus(),
  });
  return el("div", { className: "controls", role: "search" }, search, choice("sort", "Sort", SORTS), choice("show", "Show", SHOWS), known);
}

function draw(cluster) {
  const { name, folder, size, quality, doubtful, near, decided } = cluster;
  const facts = [count(size, "image"), quality !== null && `quality ${quality.toFixed(2)}`, doubtful > 0 && `${doubtful} doubtful`, decided];
  const small = [name && folder, size.toLocaleString("en"), doubtful > 0 && `${doubtful} doubtful`].filter(Boolean).join(" · ");
  const gone = decided && !STAYS.includes(decided);
  const picturing = el("span", { className: gone ? "picture decided" : "picture" }, picture(cluster.medoid, 320), el("span", { className: "check" }));
  picturing.firstChild.loading = "lazy";
  return {
    words: [label(cluster), ...facts, near && `perhaps the same as ${label(near)}`].filter(Boolean).join(", "),
    content: [
      picturing,
      el("b", { className: "called" }, label(cluster)),
      el("span", { className: "note" }, el("span", {}, small), quality === null ? null : el("span", { title: "mean quality of its faces" }, `q ${quality.toFixed(2)}`)),
      decided ? el("span", { className: "note" }, decided) : perhaps(near),
    ],
  };
}

function perhaps(near) {
  if (!near) return null;
  return el("span", { className: "near", title: "Select both" }, "perhaps ", el("span", { className: "small" }, picture(near.medoid)), ` ${label(near)}`);
}

/** A click on “perhaps …” selects both. */
function beside(grid, event) {
  if (!event.target.closest(".near")) return;
  event.stopPropagation();
  both(grid, grid.place(event));
}

function both(grid, i) {
  const cluster = listing.at(i);
  if (!cluster?.near) return;
  grid.choose(i);
  // What is near need not be in sight, nor in the list.
  if (!grid.chosen.has(cluster.near.id)) grid.chosen.set(cluster.near.id, cluster.near);
  grid.changed();
  grid.focus();
}

function commandsFor(grid) {
  const doing = (does) => async () => {
    const clusters = grid.meant;
    if (clusters.length && (await does(clusters))) grid.clear();
  };
  const ids = (clusters) => clusters.map(({ id }) => id);
  return [
    { key: "m", words: "Merge", help: "several are one; a single one with another that is asked for", bar: true, does: doing(merge) },
    { key: "r", words: "Name…", help: "give a name", bar: true, does: doing(rename) },
    { key: "x", words: "Reject", help: "not wanted: into no cluster", bar: true, does: doing((clusters) => act("reject", { clusters: ids(clusters) })) },
    { key: "k", words: "Keep", help: "right as it is: its images stay together", bar: true, does: doing((clusters) => act("keep", { clusters: ids(clusters) })) },
    { key: "p", words: "And perhaps", help: "select also what is perhaps the same", does: () => both(grid, grid.at) },
    { key: "Escape", words: "Clear", help: "select nothing", bar: true, does: () => grid.clear() },
  ];
}

async function merge(clusters) {
  if (clusters.length > 1) return act("merge", { clusters: clusters.map(({ id }) => id) });
  const [{ id, near }] = clusters;
  const chosen = await askCluster(`Merge ${label(clusters[0])} with`, { first: near ? [near] : [], except: [id], fresh: false });
  return chosen && act("merge", { clusters: [chosen.cluster.id, id] });
}

/** Name one cluster; several that are given one name are one, and merged first. */
export async function rename(clusters) {
  const named = clusters.find(({ name }) => name);
  const name = await askName(clusters.length > 1 ? `Name of these ${clusters.length}, as one` : `Name of ${label(clusters[0])}`, { value: named?.name ?? "", none: named && "no name" });
  if (name === null) return null;
  if (clusters.length > 1 && !(await act("merge", { clusters: clusters.map(({ id }) => id) }))) return null;
  return act("name", { cluster: clusters[0].id, name });
}

function dropped(grid, clusters, target) {
  const cluster = listing.at(Number(target.dataset.at));
  const ids = [...new Set([cluster.id, ...clusters.map(({ id }) => id)])];
  if (ids.length > 1) act("merge", { clusters: ids }).then((done) => done && grid.clear());
}
