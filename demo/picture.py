"""Make docs/images/clusters.jpg of the demonstration, after ``make demo``.

It shows only the people whose photos are in the public domain: Eileen Collins (NASA) and
Grace Hopper (US Navy).
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from dtst_flow.dataset import sidecars
from dtst_flow.utils.files import read_json

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = ("collins", "hopper")
TILE, GAP, SHOWN = 112, 8, 6
"""Pixels of a tile, pixels between tiles, tiles of a row."""


def rows(dataset: Path) -> list[tuple[str, list[Path]]]:
    """Title and pictures of each row: photos, then a row for each cluster."""
    photos: list[Path] = []
    clusters = []
    for cluster in read_json(dataset / "cluster/clusters.json")["clusters"]:
        crops = [dataset / member["path"] for member in cluster["members"]]
        if crops[0].name.startswith(PEOPLE):
            clusters.append((f"cluster/{cluster['folder']}/", crops[:SHOWN]))
            photos += [
                dataset / sidecars.read(crop)["provenance"]["image"]
                for crop in crops[: SHOWN // len(PEOPLE)]
            ]
    mixed = [p for i in range(len(PEOPLE)) for p in photos[i :: len(PEOPLE)]]
    return [("images/", mixed[:SHOWN]), *clusters]


def draw(dataset: Path) -> Image.Image:
    """The rows as one picture."""
    shown = rows(dataset)
    left, line = 150, TILE + GAP
    size = (left + SHOWN * line, len(shown) * line + GAP)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for y, (title, paths) in enumerate(shown):
        top = GAP + y * line
        pen.text((GAP, top + TILE // 2), title, "black", font, anchor="lm")
        for x, path in enumerate(paths):
            tile = ImageOps.pad(Image.open(path), (TILE, TILE), color="white")
            sheet.paste(tile, (left + x * line, top))
    return sheet


if __name__ == "__main__":
    draw(ROOT / "scratch/demo").save(ROOT / "docs/images/clusters.jpg", quality=88)
