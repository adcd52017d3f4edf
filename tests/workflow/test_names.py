"""Names that crops keep, and what a user said of a face, while photos come, go and move."""

import json
import shutil

from dtst_flow.dataset import sidecars
from helpers.dataset import photos_of

LINE = "name,faces/hanks_0_00.jpg,Ann"


def test_names_and_words_stay_with_their_face(dataset):
    folder = dataset.folder
    hanks, collins = (
        next(p for p in photos_of(dataset) if p.stem == f"{who}_0")
        for who in ("hanks", "collins")
    )
    crop = folder / "faces/hanks_0_00.jpg"
    before = crop.read_bytes()
    sidecars.write(crop, sidecars.read(crop) | {"rating": 5})
    (folder / "cluster/labels.csv").write_text(LINE)
    (folder / "images/later").mkdir()
    shutil.copy(collins, folder / "images/later/hanks_0.jpg")
    dataset.run()
    assert crop.read_bytes() == before
    assert (folder / "faces/later_hanks_0_00.jpg").exists()
    assert dataset.computed()["extract_faces"] == 0  # its content is known

    hanks.rename(folder / "images/later/ann.jpg")
    dataset.run()
    assert not crop.exists() and not sidecars.path_of(crop).exists()
    assert sidecars.read(folder / "faces/ann_00.jpg")["rating"] == 5
    assert "rating" not in sidecars.read(folder / "faces/later_hanks_0_00.jpg")
    told = dataset.dtst("diff", "-d", str(folder))
    assert f"label: {LINE} is of faces/ann_00.jpg now\n" in told

    away = folder / "images/later/ann.jpg"
    away.rename(folder / "ann.jpg")
    shutil.copy(collins, folder / "images/ann.jpg")
    printed = dataset.run()
    assert "keys that you added to 1 file wait in faces/.waiting" in printed
    assert "rating" not in sidecars.read(folder / "faces/images_ann_00.jpg")
    told = dataset.dtst("diff", "-d", str(folder), "--json")
    assert "waits" in json.loads(told)["labels"][LINE]

    (folder / "ann.jpg").rename(folder / "images/back.jpg")
    dataset.run()
    assert sidecars.read(folder / "faces/back_00.jpg")["rating"] == 5
    assert not (folder / "faces/.waiting").exists()
    assert "in force again" in dataset.dtst("diff", "-d", str(folder))
    assert "Nothing to be done" in dataset.run("-n")
