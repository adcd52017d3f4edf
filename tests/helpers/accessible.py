"""Whether a page can be read and reached by everyone, as WCAG 2.2 (AA) asks."""

from playwright.sync_api import Page

FAULTS = """
(least) => {
  const faults = [];
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const over = (top, below) => top.rgb.map((v, i) => v * top.a + below[i] * (1 - top.a));
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const own = parse(getComputedStyle(element).backgroundColor);
    return own.a === 1 ? own.rgb : over(own, ground(element.parentElement));
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const seen = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && element.getClientRects().length;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !seen(element) || element.closest(":disabled, .unseen, .skip")) continue;
    const style = getComputedStyle(element);
    const back = ground(element);
    const found = contrast(over(parse(style.color), back), back);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (found < (large ? 3 : 4.5)) faults.push(`contrast ${found.toFixed(1)}: ${walker.currentNode.data.trim()}`);
  }
  for (const element of document.querySelectorAll("a, button, input, select, [role=option], [role=listbox], dialog")) {
    if (!seen(element) || element.matches(".skip")) continue;
    const name = element.ariaLabel || element.labels?.[0]?.textContent || element.textContent || element.placeholder;
    if (!name?.trim()) faults.push(`without a name: ${element.outerHTML.slice(0, 80)}`);
    const box = element.getBoundingClientRect();
    const [width, height] = [box.width, box.height].map(Math.round);
    const inline = element.matches("a") && getComputedStyle(element).display === "inline" && element.closest("p");
    if (!inline && element.matches("a, button, input, select, [role=option]") && Math.min(width, height) < least) {
      faults.push(`${width} x ${height} pixels: ${name}`);
    }
  }
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) faults.push(`${scrollWidth} pixels wide`);
  return faults;
}
"""

FOCUS = """
() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}
"""


def faults(page: Page, least: int) -> list[str]:
    """What is hard to read or to hit, has no name, or sticks out of the page.

    Args:
        page: The page as it is shown.
        least: Pixels that what can be clicked on must have in both directions.
    """
    return page.evaluate(FAULTS, least)


def shows_focus(page: Page) -> bool:
    """Whether one can see what has the focus."""
    return page.evaluate(FOCUS)
