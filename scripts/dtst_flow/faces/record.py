"""What is kept of the faces of an image, so that it need not be looked at again."""

from collections.abc import Iterable
from typing import Any

from dtst_flow.faces import alignment
from dtst_flow.faces.base import Face
from dtst_flow.faces.sharpness import sharpness
from dtst_flow.utils.array_types import Pixels


def make(image: Pixels, faces: Iterable[Face]) -> dict[str, Any]:
    """Make the record of an image.

    Args:
        image: (height, width, 3) uint8 RGB.
        faces: Those that an engine found; one whose points span no pixel is left out.

    Returns:
        A JSON value: the image's size, and box, score, points, turning and sharpness of
        each face, the largest first.
    """
    usable = filter(_can_be_cut, faces)
    height, width = image.shape[:2]
    return {
        "width": width,
        "height": height,
        "faces": [
            {
                "box": [round(float(v), 2) for v in face.box],
                "score": round(float(face.score), 4),
                "points": [[round(float(v), 2) for v in p] for p in face.points],
                "turned": face.turned,
                "sharpness": round(sharpness(image, face.points), 4),
            }
            for face in sorted(usable, key=lambda face: (-face.area, face.box))
        ],
    }


def _can_be_cut(face: Face) -> bool:
    try:
        alignment.size_of(alignment.quad(face.points))
    except ValueError:
        return False
    return True
