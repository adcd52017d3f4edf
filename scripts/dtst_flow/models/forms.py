"""What weights must be for what they are given for: a detector recognises nobody."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dtst_flow.models import contents
from dtst_flow.models.contents import Contents, Tensor
from dtst_flow.models.errors import BadModel

FACE_SIDE = 112
"""Side in pixels of the faces that models of ArcFace take."""

MIN_SIDE = 128
"""Side in pixels of the smallest photo that an image tower takes; all published take 224
and more. Smaller ones are faces."""

WIDTHS = range(64, 4097)
"""Lengths of rows by which images can be compared: a detector's outputs are narrower."""

BLOCKS = 16
"""Blocks of EfficientNet-Lite0; its larger sisters have more."""


@dataclass(frozen=True)
class Form:
    """What one use of weights asks of their file.

    Attributes:
        what: What such a file is.
        takes: How it must be, in words.
        used: How it is given to dtst.
        fits: Whether a file of some suffix and contents is one.
    """

    what: str
    takes: str
    used: str
    fits: Callable[[str, Contents], bool]


def check(model: str, path: Path) -> None:
    """Refuse a file that is not what a model's weights are.

    It is looked at in milliseconds, and no library that runs models is loaded.

    Args:
        model: The model's name in the registry.
        path: The file that the user chose for it.

    Raises:
        BadModel: It is something else; the message says what, and what it may be for.
        ModelError: It cannot be read.
    """
    form = OF.get(model)
    if form is None:
        return
    found = contents.read(path)
    if form.fits(path.suffix, found):
        return
    others = [other for other in FORMS if other.fits(path.suffix, found)]
    hint = f"It may be {others[0].what}: {others[0].used}.\n" if others else ""
    raise BadModel(
        f"{path} cannot be loaded as {form.what}.\n"
        f"  it is     {found}\n"
        f"  expected  {form.takes}\n"
        f"{hint}Without --weights, {model} is used."
    )


def _gives_rows(found: Contents) -> bool:
    """Whether a model gives a row for each image, by which it can be compared."""
    return bool(found.outputs) and _is_row(found.outputs[0])


def _is_row(output: Tensor) -> bool:
    return len(output.shape) == 2 and output.shape[1] in WIDTHS


def _takes_squares(found: Contents, type_: str = "float32") -> int | None:
    """Return the side of the square images that a model takes, None where there is none.

    A side that may vary counts as 0.
    """
    if len(found.inputs) != 1 or found.inputs[0].type != type_:
        return None
    if len(found.inputs[0].shape) != 4:
        return None
    _, channels, height, width = found.inputs[0].shape
    return (height or 0) if channels in (3, None) and height == width else None


def _is_arcface(suffix: str, found: Contents) -> bool:
    if not _gives_rows(found) or _takes_squares(found) not in (FACE_SIDE, 0):
        return False
    return found.inputs[0].shape[0] in (1, None)  # faces are computed one by one


def _is_tower(suffix: str, found: Contents) -> bool:
    if found.format == contents.ONNX:
        side = _takes_squares(found) or 0
        return suffix == ".onnx" and _gives_rows(found) and side >= MIN_SIDE
    if found.format == contents.SAFETENSORS:
        return any(name.startswith("visual.") for name in found.names)
    if found.format == contents.ARCHIVE:
        return suffix == ".npz"
    return found.format == contents.SCRIPT or b"visual." in found.pickled


def _is_efficientnet(suffix: str, found: Contents) -> bool:
    return (
        found.format == contents.OLD_CHECKPOINT
        and b"_conv_stem.weight" in found.pickled
        and found.pickled.count(b"._depthwise_conv.weight") == BLOCKS
    )


def _is_scrfd(suffix: str, found: Contents) -> bool:
    """Scores, boxes and points at three strides, in this order."""
    return _has_heads(found, (1, 4, 10))


def _is_yunet(suffix: str, found: Contents) -> bool:
    """Two scores, boxes and points at three strides, for photos of any size."""
    sizes = found.inputs[0].shape[2:] if found.inputs else ()
    return _has_heads(found, (1, 1, 4, 10)) and sizes == (None, None)


def _has_heads(found: Contents, widths: tuple[int, ...]) -> bool:
    """Whether outputs of these widths come one after the other, each at three strides."""
    last = [output.shape[-1] if output.shape else 0 for output in found.outputs]
    wanted = [width for width in widths for _ in range(3)]
    return (
        len(found.inputs) == 1
        and len(last) == len(wanted)
        and all(a in (b, None) for a, b in zip(last, wanted, strict=True))
    )


def _is_yolo(suffix: str, found: Contents) -> bool:
    if suffix == ".pt":
        return b"ultralytics" in found.pickled
    return (
        suffix == ".onnx"
        and found.format == contents.ONNX
        and len(found.outputs[0].shape) in (0, 3)
        and "names" in found.told
        and found.told.get("task") in ("detect", "segment")
    )


def _is_landmarker(suffix: str, found: Contents) -> bool:
    members = {"face_detector.tflite", "face_landmarks_detector.tflite"}
    return members <= found.names


ROWS = f"a row of {WIDTHS[0]} to {WIDTHS[-1]} numbers for each"

ARCFACE = Form(
    "a model of ArcFace, which compares faces",
    f"ONNX, float32 (1 or ?, 3, {FACE_SIDE}, {FACE_SIDE}) -> {ROWS}",
    "dtst cluster --model arcface",
    _is_arcface,
)
TOWER = Form(
    "an image tower of CLIP, which compares photos",
    f"a checkpoint of OpenCLIP, or .onnx, float32 (?, 3, side, side), side at least "
    f"{MIN_SIDE}, -> {ROWS}",
    "dtst cluster --model clip",
    _is_tower,
)
EFFICIENTNET = Form(
    "EfficientNet-Lite0, which compares photos",
    f"{contents.OLD_CHECKPOINT}, with {BLOCKS} blocks",
    "dtst cluster --model efficientnet",
    _is_efficientnet,
)
DLIB = Form(
    "dlib's recogniser, which compares faces",
    contents.DLIB_METRIC,
    "dtst cluster --model dlib",
    lambda suffix, found: found.format == contents.DLIB_METRIC,
)
LANDMARKS = Form(
    "dlib's landmarks, which place the points of a face",
    contents.DLIB_68,
    "dtst extract-faces --engine dlib",
    lambda suffix, found: found.format == contents.DLIB_68,
)
LANDMARKER = Form(
    "MediaPipe's face landmarker, which finds faces",
    "a bundle (.task) with a face detector and a face mesh",
    "dtst extract-faces --engine mediapipe",
    _is_landmarker,
)
SCRFD = Form(
    "a model of SCRFD, which finds faces with five points",
    "ONNX, 9 outputs: scores, boxes and points at three strides",
    "dtst extract-faces --engine scrfd",
    _is_scrfd,
)
YUNET = Form(
    "a model of YuNet, which finds faces with five points",
    "ONNX, for photos of any size, 12 outputs: two scores, boxes and points at three "
    "strides",
    "dtst extract-faces --engine yunet",
    _is_yunet,
)
YOLO = Form(
    "a detector of Ultralytics, which finds objects",
    ".pt, or .onnx that names its classes, as Ultralytics exports it for the task detect "
    "or segment",
    "dtst detect",
    _is_yolo,
)

FORMS = (ARCFACE, TOWER, EFFICIENTNET, DLIB, LANDMARKS, LANDMARKER, SCRFD, YUNET, YOLO)

OF = {
    "arcface_r50": ARCFACE,
    "arcface_mbf": ARCFACE,
    "clip_vit_b32": TOWER,
    "efficientnet_lite0": EFFICIENTNET,
    "dlib_resnet": DLIB,
    "dlib_68_points": LANDMARKS,
    "face_landmarker": LANDMARKER,
    "scrfd_10g": SCRFD,
    "scrfd_500m": SCRFD,
    "yunet": YUNET,
    "yoloe-26s-seg": YOLO,
    "yolov8s-worldv2": YOLO,
    "yolo26n": YOLO,
    "yolo26s": YOLO,
    "yolo26m": YOLO,
}
"""A model's name in the registry -> what may be used instead of its weights."""
