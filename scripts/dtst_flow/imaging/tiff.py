"""Pages of TIFFs: which one is the picture, and what its samples are."""

import struct
from collections.abc import Iterator, Mapping

from dtst_flow.imaging import tags
from dtst_flow.imaging.tags import Page

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


def opening_with(page: Page) -> bytes:
    """The page's file, of which it is the first page."""
    layout, content = page.layout, page.content
    if page.at == layout.first:
        return content
    place = 8 if layout.big else 4
    at = struct.pack(layout.order + layout.offset, page.at)
    return content[:place] + at + content[place + len(at) :]


def for_pillow(page: Page) -> bytes:
    """The page's file as Pillow should get it: it would turn it, and by XMP as well."""
    turned = page.number(ORIENTATION, 1) != 1 or XMP in page.tags
    return without_metadata(page) if turned else opening_with(page)


def without_metadata(page: Page) -> bytes:
    """The file of a page, of which it is the only one, and no pixel depends on no tag."""
    entries = {n: _entry(page, n) for n in sorted(page.tags) if n in NEEDED}
    return _with_page(page, entries)


def in_bytes(page: Page, width: int, share: slice) -> bytes:
    """A file of a page's samples as grey of 8 bits, each byte of them a pixel.

    Args:
        page: The page.
        width: How many bytes a row of its samples takes.
        share: Which of its strips or tiles count.

    Raises:
        ValueError: A row of a tile takes no whole number of bytes.
    """
    entries: dict[int, Entry] = {
        n: _entry(page, n) for n in page.tags if n in PLACES or n == FILL_ORDER
    }
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


PLACES = {HEIGHT, COMPRESSION, ROWS, TILE_WIDTH, TILE_HEIGHT}
"""Tags that say how a page's bytes are laid out, however many a pixel takes."""

Entry = tuple[int, ...] | bytes
"""Numbers of a tag, or its entry as it stands in the file."""


def _entry(page: Page, number: int) -> bytes:
    """The entry of a tag as it stands, but for its number."""
    tag, layout = page.tags[number], page.layout
    head = struct.pack(layout.order + "H" + layout.offset, tag.kind, tag.count)
    room = struct.calcsize(layout.offset)
    if tags.SIZES.get(tag.kind, 1) * tag.count > room:
        return head + struct.pack(layout.order + layout.offset, tag.at)
    return head + page.content[tag.at : tag.at + room].ljust(room, b"\0")


def _with_page(page: Page, entries: Mapping[int, Entry]) -> bytes:
    """A page's file with other tags at its end, which are those of its only page."""
    layout = page.layout
    at = len(page.content) + len(page.content) % 2
    number = layout.order + layout.offset
    behind = (
        at + struct.calcsize("<Q" if layout.big else "<H") + struct.calcsize(number)
    )
    behind += len(entries) * (20 if layout.big else 12)
    table = struct.pack(layout.order + ("Q" if layout.big else "H"), len(entries))
    more = b""
    for tag, value in sorted(entries.items()):
        table += struct.pack(layout.order + "H", tag)
        if isinstance(value, bytes):
            table += value
            continue
        kind = 16 if layout.big else 4
        data = struct.pack(f"{layout.order}{len(value)}{tags.WHOLE[kind]}", *value)
        table += struct.pack(layout.order + "H" + layout.offset, kind, len(value))
        room = struct.calcsize(layout.offset)
        if len(data) > room:
            table += struct.pack(number, behind + len(more))
            more += data + bytes(len(data) % 2)
        else:
            table += data.ljust(room, b"\0")
    table += struct.pack(number, 0)
    start = 16 if layout.big else 8
    first = page.content[: start - struct.calcsize(layout.offset)] + struct.pack(
        number, at
    )
    body = page.content[start:].ljust(at - start, b"\0")
    return first + body + table + more
