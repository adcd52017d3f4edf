"""``make demo``: faces to clusters on the demonstration dataset, then how well it went."""

import csv
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

import photos
from dtst_flow.cluster.metrics import bcubed
from dtst_flow.dataset import sidecars
from dtst_flow.utils.files import read_json

HERE = Path(__file__).resolve().parent
DATASET = HERE.parent / "scratch" / "demo"


def main() -> int:
    """Make the photos, run the workflow, say what came of it."""
    if not (DATASET / "people.csv").exists():
        print(f"Making a demonstration dataset in {DATASET}", flush=True)
        photos.write(DATASET)
    dtst = Path(sys.executable).with_name("dtst")
    run = subprocess.run([dtst, "run", "faces", HERE / "demo.yaml", "-d", DATASET])
    if run.returncode:
        return run.returncode
    print(report(DATASET))
    return 0


def report(dataset: Path) -> str:
    """How well the clusters match the people."""
    clusters = read_json(dataset / "cluster/clusters.json")
    people = true_people(dataset)
    members = [
        (people.get(member["path"], member["path"]), cluster["folder"])
        for cluster in clusters["clusters"]
        for member in cluster["members"]
    ]
    members += [(people.get(m["path"], m["path"]), None) for m in clusters["noise"]]
    known, found = zip(*members, strict=True)
    precision, recall, f = bcubed(found, known)
    seen: dict[str, list[str]] = defaultdict(list)
    for person, folder in members:
        seen[folder or "noise"].append(person)
    lines = ["", f"{len(members)} faces of {len(set(people.values()))} people:"]
    for folder, names in sorted(seen.items()):
        counts = sorted(((names.count(n), n) for n in set(names)), reverse=True)
        shown = ", ".join(f"{count} x {name}" for count, name in counts)
        lines.append(f"  {folder}: {shown}")
    return "\n".join(
        [
            *lines,
            f"Against the known people: BCubed precision {precision:.3f}, "
            f"recall {recall:.3f}, F {f:.3f}",
            "This is a demonstration set: every shot of a person comes from one photo, "
            "so real photos are harder.",
            f"Look into {dataset / 'cluster'} (and {dataset / 'faces'}).",
        ]
    )


def true_people(dataset: Path) -> dict[str, str]:
    """Crop -> the person whose known place in the photo is nearest to the face's box."""
    places = defaultdict(list)
    with open(dataset / "people.csv", newline="") as file:
        for row in csv.DictReader(file):
            place = (float(row["x"]), float(row["y"]))
            places[row["image"]].append((place, row["person"]))
    people = {}
    for crop in sorted((dataset / "faces").glob("*.jpg")):
        origin = sidecars.read(crop)["provenance"]
        box = np.array(origin["box"])
        middle = (box[:2] + box[2:]) / 2
        people[f"faces/{crop.name}"] = min(
            places[origin["image"]], key=lambda p: np.hypot(*(p[0] - middle))
        )[1]
    return people


if __name__ == "__main__":
    sys.exit(main())
