"""Which files are images, told by their names alone."""

from dtst_flow.imaging.decode import SUFFIXES

SYSTEM = frozenset(
    {
        *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
        *(".@__thumb", "@__thumb", "$recycle.bin", "recycler", "recycled"),
        *(
            "system volume information",
            "__macosx",
            "lost+found",
            "network trash folder",
        ),
        *("temporary items", "thumbs.db", "ehthumbs.db", "desktop.ini"),
    }
)
"""Names, in lower case, of what systems and NAS boxes put among photos: thumbnails, waste
and snapshots. Hidden files and folders are skipped besides."""


def is_system(name: str) -> bool:
    """Tell whether a file or folder is a system's or a NAS box's own."""
    return name.lower() in SYSTEM


def is_image(path: str) -> bool:
    """Tell whether a file is taken for an image."""
    return suffix(path).lower() in SUFFIXES


def suffix(path: str) -> str:
    """Give what pathlib does, which would take seconds for a million paths."""
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""
