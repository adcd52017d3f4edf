"""The tags of a TIFF's pages, or of EXIF, which has the same form.

Of each tag only the whole numbers are read, and only when they are asked for: so nothing
that a camera or an editor wrote into another one can do harm.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

WHOLE = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 18: "Q"}
"""Type of a tag -> its numbers, as `struct` calls them; all others are not whole."""

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
"""Type of a tag -> bytes of each of its values."""

MOST_VALUES = 1 << 24
"""More values of a tag are not read."""


@dataclass(frozen=True)
class Layout:
    """How a file writes numbers.

    Attributes:
        order: "<" or ">", as `struct` calls them.
        big: Whether it is a BigTIFF, with offsets of eight bytes.
        first: Where the tags of its first page are.
    """

    order: str
    big: bool
    first: int

    @property
    def offset(self) -> str:
        """The format of an offset."""
        return "Q" if self.big else "I"


@dataclass(frozen=True)
class Tag:
    """A tag: its type, how many values it has, and where in the file they are."""

    kind: int
    count: int
    at: int


@dataclass(frozen=True)
class Page:
    """The tags of a page.

    Attributes:
        content: The whole file.
        layout: Of the file.
        at: Where its tags are.
        tags: Number -> tag; of equal ones the first.
        following: Where the tags of the next page are, 0 after the last.
    """

    content: bytes
    layout: Layout
    at: int
    tags: dict[int, Tag]
    following: int

    def numbers(self, number: int) -> tuple[int, ...]:
        """The whole numbers of a tag, () if it is not there or of another type."""
        tag = self.tags.get(number)
        if tag is None or tag.kind not in WHOLE or tag.count > MOST_VALUES:
            return ()
        form = f"{self.layout.order}{tag.count}{WHOLE[tag.kind]}"
        if tag.at + struct.calcsize(form) > len(self.content):
            return ()
        return struct.unpack_from(form, self.content, tag.at)

    def number(self, number: int, default: int) -> int:
        """The first whole number of a tag, or the default."""
        return next(iter(self.numbers(number)), default)

    def raw(self, number: int) -> bytes:
        """All bytes of a tag, b"" if it is not there."""
        tag = self.tags.get(number)
        size = SIZES.get(tag.kind, 0) * tag.count if tag else 0
        return self.content[tag.at : tag.at + size] if tag else b""


def layout_of(content: bytes) -> Layout | None:
    """How a TIFF, or EXIF without its first six bytes, writes numbers; None if neither."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None or len(content) < 8:
        return None
    if struct.unpack_from(f"{order}H", content, 2)[0] != 43:
        return Layout(order, False, struct.unpack_from(f"{order}I", content, 4)[0])
    if len(content) < 16:
        return None
    return Layout(order, True, struct.unpack_from(f"{order}Q", content, 8)[0])


def page_at(content: bytes, layout: Layout, at: int) -> Page | None:
    """The tags that are at a place of a file; None if none can be there.

    Of a list that is cut short, those that are left are read.
    """
    counts, entry, head = ("Q", 20, 8) if layout.big else ("H", 12, 2)
    if at < 8 or at + head > len(content):
        return None
    (count,) = struct.unpack_from(layout.order + counts, content, at)
    room = (len(content) - at - head) // entry
    tags: dict[int, Tag] = {}
    for place in range(at + head, at + head + entry * min(count, room), entry):
        number, tag = _tag(content, layout, place)
        tags.setdefault(number, tag)
    end = at + head + entry * count
    form = layout.order + layout.offset
    cut = end + struct.calcsize(form) > len(content)
    following = 0 if cut else struct.unpack_from(form, content, end)[0]
    return Page(content, layout, at, tags, following)


def _tag(content: bytes, layout: Layout, place: int) -> tuple[int, Tag]:
    """The number of the tag whose entry is at a place, and the tag."""
    form = layout.order + "HH" + layout.offset
    number, kind, count = struct.unpack_from(form, content, place)
    at = place + struct.calcsize(form)
    if SIZES.get(kind, 1) * count > struct.calcsize(layout.offset):
        (at,) = struct.unpack_from(layout.order + layout.offset, content, at)
    return number, Tag(kind, count, at)


def pages(content: bytes) -> Iterator[Page]:
    """Yield the pages of a TIFF, one after the other."""
    layout, seen = layout_of(content), {0}
    at = layout.first if layout else 0
    while layout and at not in seen:
        seen.add(at)
        page = page_at(content, layout, at)
        if page is None:
            return
        yield page
        at = page.following
