"""Pages of TIFFs: which one is the picture, and what its samples are."""

import struct
from collections.abc import Iterator, Mapping

from dtst_flow.imaging import tags
from dtst_flow.imaging.tags import Page, Tag

NEW_SUBFILE, SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION = 254, 255, 256, 257, 258, 259
PHOTOMETRIC, OFFSETS, SAMPLES, ROWS, COUNTS = 262, 273, 277, 278, 279
HIGHEST, PLANAR, PREDICTOR, COLOURS = 281, 284, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
SUB_PAGES, EXTRA, FORMAT, TABLES, PROFILE = 330, 338, 339, 347, 34675
FILL_ORDER, ORIENTATION, XMP = 266, 274, 700

NEEDED = {
    *(NEW_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, OFFSETS),
    *(SAMPLES, ROWS, COUNTS, PLANAR, 292, 293, PREDICTOR, COLOURS, TILE_WIDTH),
    *(TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, 332, EXTRA, FORMAT, TABLES, 512, 513),
    *(514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
}
"""Tags that pixels depend on."""

RAW = {32803: "CFA", 34892: "linear raw"}
"""Kinds of pages with what a sensor saw, which is no picture yet."""

REDUCED, MASK = 1, 4
"""Bits of NEW_SUBFILE: a smaller version of another page, and which pixels count."""

INTEGERS, SIGNED, FLOATS, UNTOLD = 1, 2, 3, 4
"""What FORMAT says samples are; others are complex numbers."""


def picture(content: bytes) -> Page | None:
    """The page that is the picture: the first that is no smaller version of another.

    Where all pages say of themselves that they are, it may hang below one of them; else
    it is the largest. Raw data of a sensor counts only where there is nothing else.
    """
    found = list(_all_pages(content))
    shown = [page for page in found if page.number(PHOTOMETRIC, 1) not in RAW] or found
    whole = [page for page in shown if not _is_reduced(page)]
    return next(iter(whole), max(shown, key=pixels, default=None))


def _all_pages(content: bytes) -> Iterator[Page]:
    main = list(tags.pages(content))
    yield from main
    for page in main:
        for at in page.numbers(SUB_PAGES)[:100]:
            below = tags.page_at(content, page.layout, at)
            if below:
                yield below


def _is_reduced(page: Page) -> bool:
    kind = page.number(NEW_SUBFILE, 0)
    return bool(kind & (REDUCED | MASK)) or page.number(SUBFILE, 1) == 2


def pixels(page: Page) -> int:
    """How many pixels a page has."""
    return page.number(WIDTH, 0) * page.number(HEIGHT, 0)


def for_pillow(page: Page) -> bytes:
    """The file as Pillow should get it.

    It reads the first page, not every BigTIFF, and would turn the picture, by XMP as well.
    """
    turned = page.number(ORIENTATION, 1) != 1 or XMP in page.tags
    first = page.at == page.layout.first and not page.layout.big
    return page.content if first and not turned else without_metadata(page)


def without_metadata(page: Page) -> bytes:
    """The file of a page, of which it is the only one, and all tags are of its pixels."""
    return _with_page(page, {n: tag for n, tag in page.tags.items() if n in NEEDED})


def in_bytes(page: Page, width: int, share: slice) -> bytes:
    """A file of a page's samples as grey of 8 bits, each byte of them a pixel.

    Args:
        page: The page.
        width: How many bytes a row of its samples takes.
        share: Which of its strips or tiles count.

    Raises:
        ValueError: A row of a tile takes no whole number of bytes.
    """
    entries: dict[int, Entry] = {n: tag for n, tag in page.tags.items() if n in PLACES}
    for many in (OFFSETS, COUNTS, TILE_OFFSETS, TILE_COUNTS):
        if numbers := page.numbers(many):
            entries[many] = numbers[share]
    if TILE_WIDTH in entries:
        wide, left = divmod(page.number(TILE_WIDTH, 0) * width, page.number(WIDTH, 1))
        if left:
            raise ValueError("a row of a tile takes no whole number of bytes")
        entries[TILE_WIDTH] = (wide,)
    plain = {WIDTH: (width,), BITS: (8,), PHOTOMETRIC: (1,), SAMPLES: (1,)}
    return _with_page(page, entries | plain)


PLACES = {HEIGHT, COMPRESSION, FILL_ORDER, ROWS, TILE_WIDTH, TILE_HEIGHT}
"""Tags that say how a page's bytes are laid out, however many a pixel takes."""

Entry = tuple[int, ...] | Tag
"""The numbers of a tag, or a tag of the page as it is."""


def _with_page(page: Page, entries: Mapping[int, Entry]) -> bytes:
    """A page's file with other tags at its end, which are those of its only page.

    A BigTIFF becomes a usual one, as Pillow does not read all of them.
    """
    order, content = page.layout.order, page.content
    at = len(content) + len(content) % 2
    behind = at + 2 + 12 * len(entries) + 4
    table, more = struct.pack(f"{order}H", len(entries)), b""
    for number, entry in sorted(entries.items()):
        if isinstance(entry, Tag) and entry.kind in LONG_NUMBERS:
            entry = page.numbers(number)
        if isinstance(entry, Tag):
            kind, count, data = entry.kind, entry.count, page.raw(number)
        else:
            kind, count = 4, len(entry)
            data = struct.pack(f"{order}{count}I", *entry)
        table += struct.pack(f"{order}HHI", number, kind, count)
        if len(data) > 4:
            table += struct.pack(f"{order}I", behind + len(more))
            more += data + bytes(len(data) % 2)
        else:
            table += data.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}I", at) + content[8:].ljust(at - 8, b"\0")
    return head + table + bytes(4) + more


LONG_NUMBERS = (16, 17, 18)
"""Types of tags that only a BigTIFF has."""
