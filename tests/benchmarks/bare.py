"""The bare loop: one process that does what must be done, and nothing else.

    python tests/benchmarks/bare.py TASK

TASK is a JSON file: `kind`, `weights`, and `images`: path -> the five points of each face.
The kinds:

yunet mediapipe scrfd dlib   decode, shrink, look once, cut the faces, encode them; where the
                             engine places points by a model of its own, run that on each
arcface                      decode a crop, align it, run the model; at the end cluster all
efficientnet clip            decode an image, shrink it, run the model; at the end cluster all
ultralytics                  Ultralytics' own predictor; prints how many boxes it finds
"""

import json
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 640
"""Long side in pixels at which is looked for faces."""

Points = list[list[list[float]]]
Loop = Callable[[np.ndarray, Points], object]


def looks(kind: str, weights: list[str]) -> Loop:
    """Return what looks at a photo of which so many faces are known."""
    import cv2

    if kind == "dlib":
        return _dlib(weights[0])
    from dtst_flow.models.onnx import open_session

    session = open_session(Path(weights[-1]))
    name = session.get_inputs()[0].name
    mesh: Any = None
    if kind == "mediapipe":
        from dtst_flow.faces.mediapipe import MediapipeEngine

        mesh = MediapipeEngine(*map(Path, weights))._mesh
    view = np.zeros((256, 256, 3), np.uint8)

    def look(image: np.ndarray, faces: Points) -> None:
        scale = SIDE / max(image.shape)
        size = [round(side * scale / 32) * 32 for side in image.shape[1::-1]]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        values = small[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        session.run(None, {name: values})
        for _ in faces if mesh else ():
            mesh(view)

    return look


def _dlib(weights: str) -> Loop:
    import dlib

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(weights)

    def look(image: np.ndarray, faces: Points) -> None:
        detector.run(image, 1, 0.0)
        for _ in faces:
            predictor(image, dlib.rectangle(0, 0, 99, 99))

    return look


def faces(kind: str, weights: list[str], images: dict[str, Points]) -> None:
    """Go from photos to crops in memory."""
    from dtst_flow.faces import alignment, crop

    look = looks(kind, weights)
    for path, found in images.items():
        image = np.asarray(Image.open(BytesIO(Path(path).read_bytes())))
        look(image, found)
        for points in found:
            file = BytesIO()
            cut = crop.cut(image, alignment.quad(points))
            Image.fromarray(cut).save(file, "JPEG", quality=95, subsampling="4:4:4")


def arcface(weights: list[str], images: dict[str, Points]) -> None:
    """Go from crops to clusters."""
    from dtst_flow.cluster import hdbscan
    from dtst_flow.embed.arcface import align
    from dtst_flow.models.onnx import open_session

    session = open_session(Path(weights[0]))
    name = session.get_inputs()[0].name
    rows = []
    for path, (points,) in images.items():
        image = np.asarray(Image.open(path))
        values = align(image, np.array(points)).transpose(2, 0, 1)[None]
        rows.append(session.run(None, {name: (values - np.float32(127.5)) / 127.5})[0])
    hdbscan.cluster(np.concatenate(rows), 5, 2)


def whole(model: str, weights: list[str], images: dict[str, Points]) -> None:
    """Go from photos to clusters of them."""
    from dtst_flow.cluster import hdbscan
    from dtst_flow.embed import embedders
    from dtst_flow.embed.base import Sample

    embedder = embedders.open_embedder(model, Path(weights[0]), batch_size=32)
    paths, size = list(images), embedder.batch_size
    rows = []
    for start in range(0, len(paths), size):
        opened = map(Image.open, paths[start : start + size])
        rows.append(embedder.embed([Sample(np.asarray(image)) for image in opened]))
    hdbscan.cluster(np.concatenate(rows), 5, 2)


def ultralytics(weights: list[str], images: dict[str, Points]) -> None:
    """Find boxes."""
    from ultralytics import YOLO

    model = YOLO(weights[0], task="detect")
    results = (
        model.predict(path, conf=0.2, verbose=False, max_det=300) for path in images
    )
    print(sum(len(result.boxes) for (result,) in results))


def main() -> None:
    """Run what a task asks for."""
    task = json.loads(Path(sys.argv[1]).read_text())
    kind, weights, images = task["kind"], task["weights"], task["images"]
    if kind == "ultralytics":
        ultralytics(weights, images)
        return
    import cv2

    cv2.setNumThreads(1)
    if kind == "arcface":
        arcface(weights, images)
    elif kind in ("efficientnet", "clip"):
        whole(kind, weights, images)
    else:
        faces(kind, weights, images)


if __name__ == "__main__":
    main()
