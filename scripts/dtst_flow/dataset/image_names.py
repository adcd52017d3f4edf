"""Which files are images or videos, told by their names alone."""

from dataclasses import dataclass

from dtst_flow.dataset.unopened import RESERVED

SYSTEM = frozenset(
    {
        *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
        *(".@__thumb", "@__thumb", "$recycle.bin", "recycler", "recycled"),
        *(
            "system volume information",
            "__macosx",
            "network trash folder",
        ),
        *RESERVED,
        *("temporary items", "thumbs.db", "ehthumbs.db", "desktop.ini"),
    }
)
"""Names, in lower case, of what systems and NAS boxes put among photos: thumbnails, waste
and snapshots. Hidden files and folders are skipped besides."""


@dataclass(frozen=True)
class Kind:
    """A kind of files that stages work on.

    Attributes:
        singular: What one of them is called.
        plural: What more are called.
        suffixes: Those of their names, in lower case.
    """

    singular: str
    plural: str
    suffixes: frozenset[str]

    @property
    def one(self) -> str:
        """One of them, with its article."""
        return f"{'an' if self.singular[0] in 'aeiou' else 'a'} {self.singular}"

    def has(self, path: str) -> bool:
        """Tell whether a file is taken for one of them."""
        return suffix(path).lower() in self.suffixes

    def lie(self, number: int, where: str) -> str:
        """Say that so many of them lie somewhere."""
        if number == 1:
            return f"1 {self.singular} lies {where}"
        return f"{number} {self.plural} lie {where}"


IMAGES = Kind(
    "image",
    "images",
    frozenset(
        [
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".mpo",
            ".png",
            ".webp",
            ".bmp",
            ".ico",
            ".tif",
            ".tiff",
            ".gif",
            ".avif",
            ".heic",
            ".heif",
            ".hif",
        ]
    ),
)
VIDEOS = Kind(
    "video",
    "videos",
    frozenset([".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".wmv"]),
)
KINDS = {kind.plural: kind for kind in (IMAGES, VIDEOS)}


def why_not(path: str, wanted: Kind) -> str:
    """Say why a file is not of the kind that is looked for."""
    for other in KINDS.values():
        if other.has(path):
            return f"{other.one}, not {wanted.one}"
    return f"not {wanted.one} type ({suffix(path) or 'no suffix'})"


def is_system(name: str) -> bool:
    """Tell whether a file or folder is a system's or a NAS box's own."""
    return name.lower() in SYSTEM


def is_image(path: str) -> bool:
    """Tell whether a file is taken for an image."""
    return IMAGES.has(path)


def suffix(path: str) -> str:
    """Give what pathlib does, which would take seconds for a million paths."""
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""
