"""Whatever a user may do to a dataset, as rules of a machine."""

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from dtst_flow.dataset import sidecars, waiting
from dtst_flow.dataset.entries import Entry, stat_of, unchanged
from dtst_flow.dataset.ledger import Ledgers
from dtst_flow.dataset.state import state_of
from dtst_flow.planning.pipelines import PIPELINES
from helpers.dataset import Dataset
from helpers.user import User
from helpers.words import Words

FOLDERS = ("images", "images/a", "images/b")
NAMES = ("p.jpg", "q.jpg", "Q.jpg", "q.png", "r.JPG", "s.jpg")

PROVENANCES = (
    {"source": "flickr"},
    "me",
    {},
    {"image": "images/a/p.jpg", "digest": "0" * 32},
)
"""What other programs may write under that key."""

numbers = st.integers(0, 10**6)
folders = st.sampled_from(FOLDERS)
names = st.sampled_from(NAMES)


def pick(choices, number: int):
    """One of some choices, by any number."""
    return choices[number % len(choices)]


def is_sidecar(path: str) -> bool:
    """Whether a file lies beside an image, as those do not that wait for theirs."""
    return path.endswith(".json") and f"/{waiting.FOLDER}/" not in path


class Edits(RuleBasedStateMachine):
    """A user at work on a dataset.

    made    a dataset with a run behind it, which is copied
    pool    contents for photos
    folder  where the machine may put its datasets
    count   what was tried and survived
    """

    CHOICES: ClassVar[dict[tuple[str, str], tuple]]
    """Stage and setting -> values to choose from, the usual one among them."""
    MADE: ClassVar[dict[str, str]]
    """Stage -> the bucket that it usually makes, that of clusters last."""
    SUFFIXES: ClassVar[tuple[str, ...]]
    """What may follow a photo's name in those of its results."""

    def __init__(self, made: Dataset, pool: list[bytes], folder: Path, count: Counter):
        super().__init__()
        self.pool, self.folder, self.count = pool, folder, count
        shutil.rmtree(folder, ignore_errors=True)
        self.dataset = Dataset(folder / "crowd")
        shutil.copytree(made.folder, self.dataset.folder)
        self.user = User(self.dataset.folder)
        for path in (self.dataset.folder / "images").rglob("*.*"):
            if path.suffix != ".json":
                name = path.relative_to(self.dataset.folder).as_posix()
                self.user.files[name] = path.read_bytes()
        self.remembered: set[str] = set()
        self.words = Words(self.user, self.dataset.folder)

    def buckets(self) -> dict[str, str]:
        """Stage -> the bucket that it makes now, that of clusters last."""
        raise NotImplementedError

    def ledgers(self) -> dict[str, Ledgers]:
        """The ledgers of all buckets ever made."""
        root = self.dataset.folder
        every = {*self.MADE.values()}
        for (_, name), values in self.CHOICES.items():
            every |= {*values} if name == "to" else set()
        return {to: Ledgers(root / to, root / state_of(to)) for to in every}

    def made(self) -> list[str]:
        """The workflow's own files that it has noted, without sidecars."""
        return sorted(
            f"{to}/{path}"
            for to, ledgers in self.ledgers().items()
            for path in ledgers.owned()
            if (ledgers.bucket / path).is_file()
        )

    def photos(self) -> list[str]:
        return sorted(
            p for p in self.user.files if p.startswith("images") and p[-5:] != ".json"
        )

    def own_results(self) -> list[str]:
        """The user's files in made buckets."""
        return sorted(p for p in self.user.files if not p.startswith("images"))

    def is_noted(self, path: str) -> bool:
        """Whether a name is the workflow's by its ledgers, the file there or not."""
        to, _, rest = path.partition("/")
        return to in self.ledgers() and rest in self.ledgers()[to].owned()

    def is_known(self, path: str) -> bool:
        """Whether a name is the workflow's, or was until its ledgers were lost."""
        return self.is_noted(path) or path in self.remembered

    def is_intact(self) -> bool:
        """Whether all that the workflow made has the content that it gave it."""
        return all(
            isinstance(row, Entry)
            and unchanged(stat_of(ledgers.bucket / path, False), row.stat)
            for ledgers in self.ledgers().values()
            for path, row in ledgers.owned().items()
        )

    def noted(self) -> dict[str, set[str]]:
        """Bucket -> what in it is the workflow's, or was until its ledgers were lost."""
        return {
            to: {f"{to}/{path}" for path in ledgers.owned()}
            | {path for path in self.remembered if path.startswith(f"{to}/")}
            for to, ledgers in self.ledgers().items()
        }

    def go(self, **how) -> str:
        """One run, and where the user's words about its files are then."""
        before = self.noted()
        printed = self.dataset.run(**{"settings": self.settings(), "ok": None} | how)
        now = self.noted()
        for to, ledgers in self.ledgers().items():
            self.words.follow(ledgers, (before[to] | now[to]) - self.user.files.keys())
        return printed

    def forget(self) -> None:
        """Tell what is whose while it is known; the ledgers are about to be lost.

        A crop whose sidecar no longer says where it comes from may be anybody's, so it is
        the user's from now on.
        """
        for path in self.made():
            self.remembered.add(path)
            if self.is_crop(path) and not self.says_whose(path):
                self.user.files[path] = (self.dataset.folder / path).read_bytes()

    def is_crop(self, path: str) -> bool:
        *crops, _ = self.MADE.values()
        return path.partition("/")[0] in {*crops, "people"}

    def says_whose(self, path: str) -> bool:
        """Whether the sidecar of a crop has its provenance."""
        try:
            return "provenance" in sidecars.read(self.dataset.folder / path)
        except sidecars.BrokenSidecar:
            return False

    # Photos

    @rule(folder=folders, name=names, content=numbers)
    def write_photo(self, folder, name, content):
        self.user.write(f"{folder}/{name}", pick(self.pool, content))

    @rule(which=numbers, content=numbers)
    def overwrite_photo(self, which, content):
        if self.photos():
            self.user.write(pick(self.photos(), which), pick(self.pool, content))

    @rule(which=numbers, folder=folders, content=numbers)
    def second_photo_of_a_name(self, which, folder, content):
        if self.photos():
            name = pick(self.photos(), which).rpartition("/")[2]
            if self.user.is_free(new := f"{folder}/{name}"):
                self.user.write(new, pick(self.pool, content))

    @rule(which=numbers)
    def spoil_photo(self, which):
        if self.photos():
            self.user.write(pick(self.photos(), which), b"no photo")

    @rule(which=numbers, place=numbers)
    def edit_photo_unseen(self, which, place):
        """An edit that keeps size and time, such as that of a tool that sets it back."""
        if self.photos():
            path = self.dataset.folder / pick(self.photos(), which)
            content, status = bytearray(path.read_bytes()), path.stat()
            content[place % len(content)] ^= 1
            self.user.write(pick(self.photos(), which), bytes(content))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    @rule(which=numbers)
    def touch_photo(self, which):
        if self.photos():
            os.utime(self.dataset.folder / pick(self.photos(), which))

    @rule(which=numbers, folder=folders, name=names, along=st.booleans())
    def rename_photo(self, which, folder, name, along):
        if self.photos() and self.user.is_free(new := f"{folder}/{name}"):
            photo = pick(self.photos(), which)
            self.user.rename(photo, new)
            if along:
                self.user.rename_sidecar(photo, new)

    @rule(
        folder=st.sampled_from(FOLDERS[1:]), new=st.sampled_from([*FOLDERS, "images/c"])
    )
    def rename_folder(self, folder, new):
        within = new.startswith(f"{folder}/")  # of itself, which no system does
        is_there = (self.dataset.folder / folder).is_dir()
        if is_there and not within and self.user.is_free(new):
            self.user.rename_folder(folder, new)

    @rule(which=numbers)
    def delete_photo(self, which):
        if self.photos():
            self.user.delete(pick(self.photos(), which))

    @rule(which=numbers)
    def make_a_folder_of_a_photo(self, which):
        if self.photos():
            photo = pick(self.photos(), which)
            self.user.delete(photo)
            self.user.write(f"{photo}/notes.txt", b"notes")

    @rule()
    def take_all_photos_away_for_a_run(self):
        aside = self.folder / "aside"
        (self.dataset.folder / "images").rename(aside)
        self.dataset.run(settings=self.settings(), ok=False)
        aside.rename(self.dataset.folder / "images")

    @rule(folder=st.sampled_from(FOLDERS[1:]))
    def unmount_a_folder_for_a_run(self, folder):
        place, aside = self.dataset.folder / folder, self.folder / "aside"
        photos = {f"{folder}/{name}" for name in NAMES} & self.user.files.keys()
        self.go()
        source = self.settings()[PIPELINES[self.settings()["path"]][0]]
        if not photos or source.get("from") == "images":
            return
        before = self.dataset.results()
        place.rename(aside)
        place.symlink_to("nowhere")
        printed = self.dataset.run(settings=self.settings(), ok=False)
        place.unlink()
        aside.rename(place)
        assert f"{folder!r} cannot be opened" in printed
        assert self.dataset.results() == before

    # Sidecars, of photos and of what is made

    def with_sidecars(self) -> list[str]:
        return self.photos() * 2 + self.made()

    @rule(which=numbers, key=st.sampled_from(["license", "rating", "classes"]))
    def edit_sidecar(self, which, key):
        if self.with_sidecars():
            image = pick(self.with_sidecars(), which)
            self.user.edit_sidecar(image, self.keys(key))
            self.say(image)

    @rule(which=numbers, key=st.sampled_from(["license", "classes"]))
    def replace_sidecar(self, which, key):
        if self.with_sidecars():
            image = pick(self.with_sidecars(), which)
            self.user.replace_sidecar(image, self.keys(key))
            self.say(image)

    def say(self, image: str) -> None:
        if self.is_noted(image):
            self.words.say(image, self.ledgers()[image.partition("/")[0]])

    def keys(self, key: str) -> dict:
        """A key for a sidecar that was not in one before."""
        edits = self.user.edits
        if key == "classes":
            box = {"box": [0, 0, 5 + edits % 20, 5]}
            return {"classes": {("red", "mine")[edits % 2]: [box | {"by": edits}]}}
        return {key: f"mine {edits}"}

    @rule(which=numbers)
    def break_sidecar(self, which):
        if self.with_sidecars():
            self.user.break_sidecar(pick(self.with_sidecars(), which))

    @rule(which=numbers)
    def delete_sidecar(self, which):
        if self.with_sidecars():
            self.user.delete_sidecar(pick(self.with_sidecars(), which))

    @rule(which=numbers)
    def delete_sidecar_of_what_was_made(self, which):
        """Of a crop whose ledger is lost, so that at most its content tells whose it is."""
        crops = [
            path
            for path in sorted(filter(self.is_crop, self.remembered))
            if not self.is_noted(path) and (self.dataset.folder / path).is_file()
        ]
        if crops:
            crop = pick(crops, which)
            self.user.delete_sidecar(crop)
            self.user.files[crop] = (self.dataset.folder / crop).read_bytes()

    @rule(which=numbers)
    def mend_sidecar(self, which):
        if broken := [p for p in sorted(self.user.files) if is_sidecar(p)]:
            image = pick(broken, which).removesuffix(".json")
            self.user.replace_sidecar(image, self.keys("license"))

    # What was made

    @rule(which=numbers, edited=st.booleans())
    def damage(self, which, edited):
        if self.made():
            path = self.dataset.folder / pick(self.made(), which)
            path.unlink()  # it may be a link to the user's photo
            if edited:
                path.write_bytes(b"edited %d" % which)

    @rule(which=numbers)
    def delete_bucket(self, which):
        self.user.delete(pick(sorted(self.buckets().values()), which))

    @rule(which=numbers)
    def move_to_another_cluster(self, which):
        to = self.buckets().get("cluster")
        laid_out = [
            p for p in self.made() if p.startswith(f"{to}/") and p.count("/") == 2
        ]
        if not laid_out:
            return
        path = Path(pick(laid_out, which))
        for folder in ("000", "001", "noise"):
            new = f"{to}/{folder}/{path.name}"
            if self.user.is_free(new) and not self.is_known(new):
                content = (self.dataset.folder / path).read_bytes()
                (self.dataset.folder / path).unlink()
                self.user.write(new, content)
                return

    @rule(name=names, where=numbers, image=st.booleans())
    def put_own_file(self, name, where, image):
        stem = Path(name).stem
        *made, to = self.buckets().values()
        if "cluster" not in self.buckets():
            made = [to]
        names = [f"{stem}{end}.jpg" for end in self.SUFFIXES]
        places = [
            f"{bucket}/{x}{n}" for bucket in made for x in ("", "a_") for n in names
        ]
        laid_out = [f"{to}/{folder}/{n}" for folder in ("000", "noise") for n in names]
        path = pick(
            [*places, *laid_out, f"{to}/001", f"{to}/noise/{name}/x.txt"], where
        )
        if self.user.is_free(path) and not self.is_known(path):
            is_photo = image and path in places
            own = b"the user's own %d" % self.user.edits
            self.user.write(path, pick(self.pool, where) if is_photo else own)

    @rule(name=names, where=numbers, said=numbers)
    def put_own_file_with_a_provenance(self, name, where, said):
        """One that somebody else wrote, beside a file where one of ours may have to go."""
        before = set(self.own_results())
        self.put_own_file(name, where, image=False)
        for path in set(self.own_results()) - before:
            if path.endswith(".jpg") and not self.has_sidecar(path):
                self.user.replace_sidecar(path, {"provenance": pick(PROVENANCES, said)})

    def has_sidecar(self, path: str) -> bool:
        return sidecars.path_of(self.dataset.folder / path).exists()

    @rule(which=numbers)
    def take_own_file_away(self, which):
        if self.own_results():
            self.user.delete(pick(self.own_results(), which))

    @rule(
        one=numbers,
        two=numbers,
        relation=st.sampled_from(["must-link", "cannot-link", "not", "reject"]),
        ahead=st.booleans(),
    )
    def write_labels(self, one, two, relation, ahead):
        to = self.buckets().get("cluster")
        clusters = self.dataset.folder / (to or "")
        if to and self.made() and clusters.is_dir():
            pair = [pick(self.made(), one), pick(self.made(), two)]
            text = f"{relation},{','.join(pair)}\nname,{pair[0]},Ann\n"
            self.user.write(f"{clusters.name}/labels.csv", text.encode())
            if ahead:
                date = 4_000_000_000 + self.user.edits  # of another clock
                os.utime(clusters / "labels.csv", (date, date))
