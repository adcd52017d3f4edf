"""Images to embed, with what extract-faces has left in the sidecars of its crops."""

from dataclasses import dataclass
from typing import Any

from dtst_flow.annotations.boxes import is_position
from dtst_flow.dataset import sidecars
from dtst_flow.dataset.manifest import ManifestRow


@dataclass(frozen=True, slots=True)
class Item:
    """An image to embed.

    Attributes:
        image: As the inventory lists it.
        points: Where the five points of its face are, {points, size}, if its sidecar says
            so and the model wants points. They hold only for a crop that still has the
            size it was given, which shows when it is read.
        photo: The digest of the photo that it is a face of, if its sidecar says so.
        box: The face's box in that photo: left, top, right, bottom in pixels.
        quality: How good the face is, if its sidecar says so.
    """

    image: ManifestRow
    points: dict[str, Any] | None = None
    photo: str | None = None
    box: list[float] | None = None
    quality: float | None = None

    @property
    def path(self) -> str:
        """The image's path."""
        return self.image.path

    @property
    def digest(self) -> str:
        """That of the image's content."""
        return self.image.digest

    @property
    def identity(self) -> list[Any]:
        """What, besides the model, an embedding depends on; names its record."""
        return [self.digest, self.points]


def stored_item(image: ManifestRow, wants_points: bool) -> Item:
    """Return an image with what extract-faces left in its sidecar, if it is a crop.

    Args:
        image: The image.
        wants_points: Whether the model compares faces; what is known of them is of no
            account to others.

    """
    try:
        sidecar = sidecars.read(image.path) if wants_points else {}
    except sidecars.BrokenSidecar:  # another program's, which tells of no points
        sidecar = {}
    provenance = sidecar.get("provenance")
    if not isinstance(provenance, dict):
        return Item(image)
    # The digest of a frame is its video's, whose frames are no faces of one photo.
    photo = None if "video" in provenance else provenance.get("digest")
    box, points = provenance.get("box"), None
    if _are_points(provenance.get("points")):
        points = {"points": provenance["points"], "size": provenance.get("size")}
    quality = _quality(sidecar.get("metrics"))
    if not isinstance(photo, str):
        return Item(image, points, quality=quality)
    return Item(image, points, photo, box if _are_numbers(box, 4) else None, quality)


def _quality(metrics: object) -> float | None:
    """The quality among the metrics of a face, None where it is no number from 0 to 1."""
    value = metrics.get("quality") if isinstance(metrics, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= 1 else None


def _are_points(value: object) -> bool:
    """Whether a JSON value is five pairs of positions that an image may have."""
    return (
        isinstance(value, list)
        and len(value) == 5
        and all(_are_numbers(pair, 2) for pair in value)
    )


def _are_numbers(value: object, count: int) -> bool:
    """Whether a JSON value is so many positions that an image may have."""
    return (
        isinstance(value, list) and len(value) == count and all(map(is_position, value))
    )
