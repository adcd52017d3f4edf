"""Which files are images, told by their names alone."""

from dtst_flow.imaging.decode import SUFFIXES


def is_image(path: str) -> bool:
    """Tell whether a file is taken for an image."""
    return suffix(path).lower() in SUFFIXES


def suffix(path: str) -> str:
    """Give what pathlib does, which would take seconds for a million paths."""
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""
