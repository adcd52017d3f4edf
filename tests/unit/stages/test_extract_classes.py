import pytest

from dtst_flow.stages.extract_classes import missing


def row(*classes: str, missing: tuple[str, ...] = (), found: int = 0) -> dict:
    return {"found": found, "classes": list(classes), "missing": list(missing)}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([row(missing=("rose",)), row(missing=("rose",))], "no image has a sidecar"),
        ([row("leaf", missing=("rose",)), row(missing=("rose",))], "there are: leaf"),
        ([row("leaf", missing=("rose",), found=1)], ""),
        ([row("rose"), row(missing=("rose",))], ""),
        ([row(), row()], ""),
    ],
    ids=["no sidecar", "others", "found besides", "in one", "all classes"],
)
def test_a_class_in_no_sidecar_is_not_to_be_summed_up(rows, sentence):
    told = missing(rows)
    assert bool(told) is bool(sentence) and sentence in told
