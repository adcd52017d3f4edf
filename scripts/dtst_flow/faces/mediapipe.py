"""mediapipe: BlazeFace finds faces tile by tile, MediaPipe's face mesh places their points.

Both models come out of the bundle of MediaPipe's face landmarker. They are run one by
one, as the landmarker itself shows BlazeFace only the whole photo, 128 pixels wide,
and gives no score.

A search asks BlazeFace dozens of times a photo, and some flower or clock looks like a
face in one tile by luck. The verifier therefore asks again, on views centred on what
was found, where luck does not last; the logit of a face is the mean of the tile's and
the views'. The face mesh's own sense of whether it looks at a face is no help: it
denies faces in masks and in profile, and confirms clocks.
"""

import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from dtst_flow.faces import crop
from dtst_flow.faces.base import Face
from dtst_flow.faces.search import (
    TILE,
    Detections,
    Floats,
    around,
    decode,
    join,
    levels,
    mirror,
    overlaps,
    place,
    place_all,
    suppress,
    tiles,
)
from dtst_flow.utils.array_types import Pixels, Positions

DETECTOR = "face_detector.tflite"
MESH = "face_landmarks_detector.tflite"

MESH_SIDE = 256
"""Side in pixels of what the face mesh looks at."""

MESH_VIEW = 1.5
"""Side of that view by the side of the face, as in MediaPipe's face landmarker."""

CANDIDATE = 0.4
"""Logit from which something may be a face, a score of 0.6. From below it the
verifier raised none of the labelled faces to MIN_SCORE."""

SAME = 0.3
"""Overlap (intersection over union) that makes two boxes one face, as in MediaPipe's."""

MIN_SIDE = 8
"""Side in pixels of the photo from which something may be a face."""

VIEWS = (3, 4)
"""Sides of the verifier's views by the side of the face; each is shown mirrored, too."""

BLIND = -5.0
"""Least logit that a view counts for, so that no single one outvotes the others."""

MIN_SCORE = 2 / 3
"""Score from which a candidate is a face.

By tests/benchmarks/face_recall.py, with the search: at 0.667 the recall of labelled
faces, half of them in masks, is 0.80 with 4 false faces on 113 photos without people;
at 0.653 it is 0.81 with 6, at 0.686 0.76 with 3.
"""

EYES = (33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380)
"""Mesh vertices of the viewer's left and right eye: corners and lids, as in the iBUG
68-point scheme. FFHQ takes their mean; unlike the iris it stays when the gaze moves."""

NOSE_TIP = 4
MOUTH_CORNERS = 61, 291
"""Mesh vertices, the outer mouth corner on the viewer's left first."""


class MediapipeEngine:
    """Finds faces with the two models in a face_landmarker.task bundle.

    A box is BlazeFace's: an upright square from the forehead to the chin.
    A score is a probability, from MIN_SCORE to 1.

    Args:
        weights: The bundle.
        search: Look for small and distant faces, tile by tile; else only for those
            that can be seen in the whole photo at 128 pixels, ten times as fast.

    Raises:
        ValueError: The file is not such a bundle.
    """

    def __init__(self, weights: Path, search: bool = True):
        try:
            with zipfile.ZipFile(weights) as bundle:
                detector, mesh = bundle.read(DETECTOR), bundle.read(MESH)
        except (zipfile.BadZipFile, KeyError) as error:
            raise ValueError(f"{weights} is no face landmarker: {error}") from error
        self._search = search
        self._detector = _Model(detector, TILE)
        self._mesh = _Model(mesh, MESH_SIDE)

    def find(self, image: Pixels) -> list[Face]:
        """Return the faces of an upright RGB image (height, width, 3), uint8; surest first."""
        faces = self._propose(image)
        if self._search:
            verified = [
                self._verify(image, faces.pick([i])) for i in range(len(faces.logits))
            ]
            faces = suppress(join([faces.pick([]), *verified]), SAME)
        scores = 1 / (1 + np.exp(-faces.logits))
        return [
            Face(
                box=tuple(box.tolist()),
                score=float(score),
                points=five_points(self._vertices(image, centre, axis)),
            )
            for box, score, centre, axis in zip(
                faces.boxes, scores, faces.centres, faces.axes, strict=True
            )
            if score >= MIN_SCORE
        ]

    def close(self) -> None:
        """Free the models."""
        self._detector.close()
        self._mesh.close()

    def _propose(self, image: Pixels) -> Detections:
        """Return what looks like a face in some tile."""
        height, width = image.shape[:2]
        seen = []
        for pixels, square in _tiles(image, self._search):
            found = decode(*self._detector(pixels))
            seen.append(place_all(found.pick(found.logits >= CANDIDATE), square))
        found = join(seen)
        inside = (found.centres >= 0) & (found.centres <= (width, height))
        possible = inside.all(axis=1) & (found.sides >= MIN_SIDE)
        return suppress(found.pick(possible), SAME)

    def _verify(self, image: Pixels, candidate: Detections) -> Detections:
        """Look at one candidate again; return it with its new logit, centre and axis.

        Position and size become the mean over the tile and the views that show a face.
        """
        (logit,), (centre,), (axis,) = candidate
        logits, seen = [], [candidate]
        for scale in VIEWS:
            square = around(centre, axis, scale)
            pixels = _view(image, square, TILE)
            for found in (
                decode(*self._detector(pixels)),
                mirror(decode(*self._detector(pixels[:, ::-1]))),
            ):
                found = place_all(found, square)
                found = found.pick(overlaps(candidate.boxes[0], found.boxes) >= SAME)
                logits.append(found.logits.max(initial=BLIND))
                surest = found.pick(np.argsort(-found.logits, kind="stable")[:1])
                seen.append(surest.pick(surest.logits >= CANDIDATE))
        _, centres, axes = join(seen)
        return Detections(
            np.array([(logit + np.mean(logits)) / 2]),
            centres.mean(axis=0, keepdims=True),
            axes.mean(axis=0, keepdims=True),
        )

    def _vertices(self, image: Pixels, centre: Floats, axis: Floats) -> Floats:
        """Return the mesh of a face in pixels of the photo, (478, 2)."""
        square = around(centre, axis, MESH_VIEW)
        vertices, *_ = self._mesh(_view(image, square, MESH_SIDE))
        return place(vertices.reshape(-1, 3)[:, :2] / MESH_SIDE, square)


def five_points(vertices: Floats) -> tuple[tuple[float, float], ...]:
    """Reduce a face mesh (478, 2) to the five points of `Face`."""
    eyes = [vertices[list(eye)].mean(axis=0) for eye in EYES]
    points = [*eyes, vertices[NOSE_TIP], *vertices[list(MOUTH_CORNERS)]]
    return tuple((float(x), float(y)) for x, y in points)


class _Model:
    """A TFLite model of one image, run by MediaPipe's ImageEmbedder, which returns raw outputs."""

    def __init__(self, content: bytes, side: int):
        _keep_from_reporting()
        from mediapipe import Image, ImageFormat
        from mediapipe.tasks.python import BaseOptions
        from mediapipe.tasks.python.vision import ImageEmbedder, ImageEmbedderOptions

        self._image: Callable[[Pixels], Any] = lambda pixels: Image(
            ImageFormat.SRGB, pixels
        )
        options = ImageEmbedderOptions(BaseOptions(model_asset_buffer=content))
        with _silenced_stderr():
            self._task = ImageEmbedder.create_from_options(options)
            # What the graph has to say at its start comes with the first run.
            self(np.zeros((side, side, 3), np.uint8))

    def __call__(self, pixels: Pixels) -> list[Floats]:
        """Return the outputs, flat, for RGB pixels (side, side, 3), uint8."""
        image = self._image(np.ascontiguousarray(pixels))
        return [head.embedding for head in self._task.embed(image).embeddings]

    def close(self) -> None:
        """Free the model."""
        self._task.close()


def _tiles(image: Pixels, search: bool) -> Iterator[tuple[Pixels, Floats]]:
    """Yield the pixels (TILE, TILE, 3) of each tile with its square in the photo."""
    import cv2

    height, width = size = image.shape[:2]
    for long_side in levels(width, height)[: None if search else 1]:
        scale = long_side / max(size)
        columns, rows = (max(1, round(length * scale)) for length in (width, height))
        level = cv2.resize(
            image,
            (columns, rows),
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        )
        for x, y in tiles(columns, rows):
            pixels = np.zeros((TILE, TILE, 3), np.uint8)
            part = level[y : y + TILE, x : x + TILE]
            pixels[: part.shape[0], : part.shape[1]] = part
            square = np.array(
                [(x, y), (x, y + TILE), (x + TILE, y + TILE), (x + TILE, y)]
            )
            yield pixels, square * (width / columns, height / rows)


def _view(image: Pixels, square: Positions, side: int) -> Pixels:
    """Cut a square out of the photo at a fixed size; outside the photo it is black."""
    import cv2

    pixels = crop.cut(image, square, max_size=side, padding=False)
    if len(pixels) == side:
        return pixels
    enlarged = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
    return cast(Pixels, enlarged)


def _keep_from_reporting() -> None:
    """Keep MediaPipe from telling Google of its use, which no setting of its turns off.

    Its C++ code posts by libcurl, which asks the environment for a proxy: one of a scheme
    that libcurl does not know ends the post before a name is looked up.
    """
    for name in ("no_proxy", "NO_PROXY"):
        os.environ.pop(name, None)
    os.environ["https_proxy"] = "off://off"


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Mute the notices of MediaPipe's C++ code, which no setting of its turns off."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
