"use strict";

// Pictures of a gallery shown at once.
const PAGE = 60;

function element(kind, properties = {}, ...children) {
  const made = Object.assign(document.createElement(kind), properties);
  made.append(...children);
  return made;
}

// One picture with what is said of it; the same as in page.html.
function tile(image) {
  const picture = image.thumbnail
    ? element("img", { src: image.thumbnail, alt: "", decoding: "async" })
    : element("span", { className: "blank" }, "no preview");
  const link = element(
    "a",
    { className: "picture", href: image.url, target: "_blank", rel: "noopener", title: image.path, ariaLabel: image.path },
    picture,
  );
  if (image.burst) {
    const title = `${image.burst} that are nearly the same`;
    link.append(element("span", { className: "burst", title }, `×${image.burst}`));
  }
  const note = element("span", { className: "note" }, image.note ?? "");
  if (image.photo) note.append(element("a", { href: image.photo, target: "_blank", rel: "noopener" }, "photo"));
  if (image.near) {
    const { label, distance } = image.near;
    note.append(element("a", { href: `#${label}` }, `${label} ${distance}`));
  }
  return element("li", {}, link, note);
}

// Fills a gallery, page by page, once it is opened.
function fill(gallery) {
  if (gallery.querySelector(".tiles")) return;
  const images = JSON.parse(gallery.querySelector("script").textContent);
  const tiles = element("ul", { className: "tiles" });
  const pages = Math.ceil(images.length / PAGE);
  const before = element("button", { type: "button" }, "‹ Before");
  const after = element("button", { type: "button" }, "After ›");
  const choice = element("select", { ariaLabel: "Which pictures" });
  for (let page = 0; page < pages; page++) {
    const first = page * PAGE + 1;
    const last = Math.min(first + PAGE - 1, images.length);
    choice.append(element("option", {}, `${first}–${last} of ${images.length}`));
  }
  function turn(page) {
    tiles.replaceChildren(...images.slice(page * PAGE, (page + 1) * PAGE).map(tile));
    choice.selectedIndex = page;
    before.disabled = page === 0;
    after.disabled = page === pages - 1;
  }
  before.addEventListener("click", () => turn(choice.selectedIndex - 1));
  after.addEventListener("click", () => turn(choice.selectedIndex + 1));
  choice.addEventListener("change", () => turn(choice.selectedIndex));
  turn(0);
  if (pages > 1) gallery.append(element("p", { className: "pager" }, before, choice, after));
  gallery.append(tiles);
}

// Opens the gallery of the cluster that the address names, as in report.html#003.
function follow() {
  const target = document.getElementById(location.hash.slice(1));
  const gallery = target?.querySelector(".gallery");
  if (!gallery) return;
  gallery.open = true;
  fill(gallery);
  target.scrollIntoView();
}

for (const gallery of document.querySelectorAll(".gallery")) {
  gallery.addEventListener("toggle", () => gallery.open && fill(gallery));
}
addEventListener("hashchange", follow);
follow();
