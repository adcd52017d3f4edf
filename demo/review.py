"""Make docs/images/review.jpg: the page of ``dtst review``, on shots of packaged photos.

What they show is in the public domain or CC0 (scikit-image's data); there are no people.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from playwright.sync_api import expect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from dtst_flow.imaging import decode  # noqa: E402
from helpers import sights  # noqa: E402
from helpers.browser import chromium  # noqa: E402
from helpers.dataset import Dataset  # noqa: E402
from helpers.reviewed import Review, Sheet  # noqa: E402
from photos import locate  # noqa: E402

SHOWN = {
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "sky": "hubble_deep_field.jpg",
    "moon": "moon.png",
    "coins": "coins.png",
    "brick": "brick.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "tissue": "ihc.png",
    "page": "page.png",
    "eye": "retina.jpg",
}
"""What is shown -> its file in scikit-image."""

SIZE = {"width": 1120, "height": 640}


def write(folder: Path) -> None:
    """Write shots of each photo."""
    chance = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for name, file_name in SHOWN.items():
        photo = decode.read(locate("scikit-image", file_name))
        for i, picture in enumerate(sights.shots(photo, chance)):
            picture.save(folder / f"{name}_{i}.jpg")


def draw(dataset: Dataset, path: Path) -> None:
    """Show the clusters, name one and select two, as a user would."""
    review = Review(dataset.folder)
    with chromium() as browser:
        sheet = Sheet(review, browser, viewport=SIZE)
        expect(sheet.tiles.first).to_be_focused()
        sheet.press("ArrowRight", "r")
        sheet.page.wait_for_selector("dialog input")
        sheet.page.keyboard.type("Chelsea")
        sheet.press("Enter")
        sheet.wait_for("labels.csv")
        sheet.press("ArrowRight", "Space", "ArrowRight", "ArrowRight", "Space")
        sheet.page.wait_for_load_state("networkidle")
        sheet.page.screenshot(path=path, type="jpeg", quality=85)
    review.kill()


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        shots = Dataset(Path(place) / "shots")
        write(shots.folder / "images")
        shots.run(settings=sights.MODEL)
        draw(shots, ROOT / "docs/images/review.jpg")
