// Where images can go: clusters by name, number or id, and names that are new.

import { get } from "./api.js";
import { choose } from "./choose.js";
import { count, label } from "./dom.js";
import { store } from "./store.js";

const SHOWN = 8;

/** The cluster that was chosen last, which is often the next one, too. */
let last = null;

export function chosenLast() {
  return last;
}

export function remember(cluster) {
  last = cluster;
}

/** Clusters that a text fits, those that begin with it first. */
export async function clusters(text, limit = SHOWN) {
  const { clusters: found } = await get("/api/clusters", { q: text, limit });
  const rank = (cluster) => {
    const name = label(cluster).toLowerCase();
    const typed = text.toLowerCase();
    return name === typed ? 0 : name.startsWith(typed) ? 1 : 2;
  };
  return found.sort((a, b) => rank(a) - rank(b));
}

function place(cluster) {
  const what = [cluster.name ? cluster.folder : null, count(cluster.size, "image")];
  return { label: label(cluster), note: what.filter(Boolean).join(", "), n: cluster.medoid, gives: { cluster } };
}

/**
 * Ask for a cluster.
 *
 * @param title what is asked
 * @param first clusters that are likely
 * @param except ids of those that are none
 * @param fresh whether a new cluster can be meant
 * @returns {cluster} or {name} or null
 */
export async function askCluster(title, { first = [], except = [], fresh = true }) {
  const options = async (text) => {
    const likely = text ? [] : [last, ...first].filter(Boolean);
    const known = new Map([...likely, ...(await clusters(text, SHOWN + except.length))].map((c) => [c.id, c]));
    const places = [...known.values()].filter((c) => !except.includes(c.id)).slice(0, SHOWN).map(place);
    const same = places.some(({ gives }) => label(gives.cluster).toLowerCase() === text.toLowerCase());
    if (fresh && !same) places.push({ label: text || "New cluster", note: text ? "new cluster" : "", gives: { name: text } });
    return places;
  };
  const chosen = await choose({ title, options });
  if (chosen?.cluster) last = chosen.cluster;
  return chosen;
}

/**
 * Ask for a name; null for none given.
 *
 * @param none what an empty name means, where it means anything
 */
export async function askName(title, { value = "", none }) {
  const options = async (text) => {
    const fits = store.state.names.filter((name) => name !== text && name.toLowerCase().includes(text.toLowerCase()));
    const names = [...(text ? [text] : []), ...fits].slice(0, SHOWN).map((name) => ({ label: name, gives: name }));
    return text || none === undefined ? names : [{ label: none, gives: "" }, ...names];
  };
  return choose({ title, value, options });
}
