"""The padding of FFHQ done literally, to compare ours with: slow, and simple to trust."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def ffhq_reference(image: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """Cut and pad a face as the FFHQ script does: everything at source resolution.

    The photo is cut to the square and a margin, mirrored beyond its edges, blurred
    and faded there as a whole in floating point, and only then warped.
    Arguments and result are those of faces.crop.cut at natural size.
    """
    side = np.hypot(*(quad[3] - quad[0]))
    margin = max(round(0.1 * side), 3)
    size = np.array(image.shape[1::-1])
    low = np.floor(quad.min(axis=0)).astype(int) - margin
    high = np.ceil(quad.max(axis=0)).astype(int) + margin
    (x0, y0), (x1, y1) = np.maximum(low, 0), np.minimum(high, size)
    part = image[y0:y1, x0:x1].astype(np.float32)
    corners = quad - (x0, y0)
    pad = np.maximum([-low, high - size], 0)
    if pad.max() > margin - 4:
        pad = np.maximum(pad, round(0.3 * side))
        (left, top), (right, bottom) = pad
        part = np.pad(part, ((top, bottom), (left, right), (0, 0)), "reflect")
        y, x = np.ogrid[: part.shape[0], : part.shape[1]]
        across = np.minimum(x / left, (part.shape[1] - 1 - x) / right)
        along = np.minimum(y / top, (part.shape[0] - 1 - y) / bottom)
        mask = (1 - np.minimum(across, along))[..., None].astype(np.float32)
        blurred = gaussian_filter(part, (0.02 * side, 0.02 * side, 0))
        part += (blurred - part) * np.clip(3 * mask + 1, 0, 1)
        part += (np.median(part, axis=(0, 1)) - part) * np.clip(mask, 0, 1)
        corners += (left, top)
    padded = Image.fromarray(np.rint(part.clip(0, 255)).astype(np.uint8))
    warped = padded.transform(
        (round(side), round(side)),
        Image.Transform.QUAD,
        corners.ravel(),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(warped)
