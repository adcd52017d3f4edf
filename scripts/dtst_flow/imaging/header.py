"""What an image's header tells, without decoding the image."""

import warnings
from io import BytesIO

from PIL import Image

from dtst_flow.imaging import metadata, tiff
from dtst_flow.imaging.decode import UnreadableImage
from dtst_flow.imaging.file import FORMATS


def size(content: bytes) -> tuple[int, int]:
    """Read how many pixels an image has.

    Args:
        content: The content of its file.

    Returns:
        (width, height), as they are before the image is turned upright.

    Raises:
        UnreadableImage: It has no header of a known type.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if page := metadata.page_of(content):
                return page.number(tiff.WIDTH, 0), page.number(tiff.HEIGHT, 0)
            return Image.open(BytesIO(content), formats=FORMATS).size
    except Exception as error:  # Pillow's readers raise nearly every type there is
        raise UnreadableImage(
            "no image of a known type, or broken at its start"
        ) from error
