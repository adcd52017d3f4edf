"""Pictures that show what an engine found, for ``--debug``."""

from collections.abc import Iterable
from io import BytesIO

from PIL import Image, ImageDraw

from dtst_flow.faces import alignment
from dtst_flow.faces.base import Face
from dtst_flow.utils.array_types import Pixels


def overlay(image: Pixels, faces: Iterable[Face]) -> bytes:
    """Draw each face's box (yellow), crop (green) and points (red) on an image.

    Args:
        image: (height, width, 3) uint8 RGB.
        faces: The faces of the image; each is labelled with its rank and score.

    Returns:
        The picture as a JPEG.
    """
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    width = max(1, min(picture.size) // 300)
    for rank, face in enumerate(faces):
        corners = [(float(x), float(y)) for x, y in alignment.quad(face.points)]
        pen.polygon(corners, outline="lime", width=width)
        pen.rectangle(face.box, outline="yellow", width=width)
        for x, y in face.points:
            pen.ellipse(
                (x - width, y - width, x + width, y + width), fill="red", outline="red"
            )
        pen.text(face.box[:2], f"{rank} {face.score:.2f}", fill="yellow")
    file = BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()
