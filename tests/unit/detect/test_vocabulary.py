import numpy as np
import pytest

from dtst_flow.detect import coco
from dtst_flow.detect.base import Prompt
from dtst_flow.detect.detectors import MODELS
from dtst_flow.detect.vocabulary import UnknownClass, Vocabulary, learn, match
from dtst_flow.models import registry
from dtst_flow.models.store import Weights

NAMES = ["traffic light", "t-shirt", "Apple", "apple", "person", "potted plant"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("person", "person"),
        ("Person", "person"),
        ("traffic_light", "traffic light"),
        ("Traffic-Light ", "traffic light"),
        ("T shirt", "t-shirt"),
        ("apple", "apple"),
        ("Apple", "Apple"),
        ("APPLE", "Apple"),
    ],
)
def test_names_are_known_however_they_are_written(asked, meant):
    assert match([asked], NAMES, "model") == {asked: meant}


def test_an_unknown_class_is_told_with_near_ones_and_who_can():
    with pytest.raises(UnknownClass) as raised:
        match(["persons", "plant", "dog", "person", "xyz"], NAMES, "mine.onnx")
    told = str(raised.value).splitlines()
    assert told == [
        "mine.onnx cannot find:",
        "  'persons', near is 'person'",
        "  'plant', near is 'potted plant'",
        "  'dog'; trained on it is --model yolo26n, yolo26s, yolo26m",
        "  'xyz'",
        "Any class by its name is found by: --model yoloe-26s-seg, yolov8s-worldv2.",
    ]


def test_a_closed_vocabulary_is_asked_of_the_model(colours):
    learnt = learn(Weights(colours, "digest"), ["Red", "blue_thing"])
    assert learnt == Vocabulary({"Red": "red", "blue_thing": "blue thing"})
    with pytest.raises(UnknownClass, match=r"colours\.onnx cannot find"):
        learn(Weights(colours, "digest"), ["yellow"])


def test_it_survives_the_way_to_disk():
    prompt = Prompt("leaf", np.array([0.5, 1e-7], np.float32))
    value = Vocabulary({"Leaf": "leaf"}, [prompt]).to_value()
    back = Vocabulary.of_value(value)
    assert back.names == {"Leaf": "leaf"} and back.to_value() == value
    assert back.prompts[0].vector.tobytes() == prompt.vector.tobytes()


def test_every_detector_is_registered():
    for name, kind in MODELS.items():
        assert registry.MODELS[kind.weights].file == f"{name}.pt"
        assert kind.text is None or kind.text in registry.MODELS


def test_coco_has_80_classes():
    assert len(set(coco.NAMES)) == 80
