import contextlib
import errno
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtst_flow.dataset import digests, inventory
from dtst_flow.dataset.bucket_specs import check_apart, parse_specs
from dtst_flow.dataset.containment import BadBucket
from dtst_flow.dataset.inventory import split
from dtst_flow.dataset.scan import LINKED, OF_A_SYSTEM, fingerprint, scan
from dtst_flow.dataset.unopened import Unopened
from dtst_flow.utils.files import digest
from dtst_flow.utils.tables import read_table

DEEP = ["glob[1]/g.jpg", "images/a.jpg", "images/s1/b.PNG", "images/s1/deep/c.webp"]
LATIN1 = os.fsdecode(b"caf\xe9.jpg")


def make(dataset: Path, *names: str) -> Path:
    """Make files, each holding its own name."""
    for name in names:
        (dataset / name).parent.mkdir(parents=True, exist_ok=True)
        (dataset / name).write_bytes(os.fsencode(name))
    return dataset


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def dataset(tmp_path) -> Path:
    return make(
        tmp_path / "crowd",
        "images/a.jpg",
        "images/a.jpg.json",
        "images/s1/b.PNG",
        "images/s1/b.PNG.json",
        "images/s1/deep/c.webp",
        "images/s2/notes.txt",
        "images/s2/.hidden.jpg",
        "images/.cache/d.jpg",
        "glob[1]/g.jpg",
        "other/e.jpg",
        ".dtst/f.jpg",
    )


class TestScan:
    @pytest.mark.parametrize(
        ("spec", "images"),
        [
            ("images", ["images/a.jpg"]),
            ("images/", ["images/a.jpg"]),
            ("./images", ["images/a.jpg"]),
            ("images/*", ["images/a.jpg", "images/s1/b.PNG"]),
            ("images/s?", ["images/s1/b.PNG"]),
            ("images/[!a]*", ["images/s1/b.PNG"]),
            ("images/*.jpg", ["images/a.jpg"]),
            ("images/a.jpg", ["images/a.jpg"]),
            ("images/*/*", ["images/s1/b.PNG", "images/s1/deep/c.webp"]),
            ("images/**/deep", ["images/s1/deep/c.webp"]),
            ("images/**", DEEP[1:]),
            ("*", ["glob[1]/g.jpg", "images/a.jpg", "other/e.jpg"]),
            ("**/s1", ["images/s1/b.PNG"]),
            ("**", [*DEEP, "other/e.jpg"]),
            ("glob[1]", ["glob[1]/g.jpg"]),
            ("glob[1]/*", ["glob[1]/g.jpg"]),
            (".dtst", [".dtst/f.jpg"]),
            ("images/s2", []),
        ],
    )
    def test_what_a_spec_means(self, dataset, spec, images):
        assert scan(dataset, [spec]).images == images

    def test_a_dot_means_the_loose_images(self, dataset, monkeypatch):
        make(dataset, "loose.jpg", "loose.jpg.json")
        monkeypatch.chdir(dataset)
        for folder in (dataset, "."):
            assert set(scan(folder, ["."]).files) == {"loose.jpg", "loose.jpg.json"}

    @pytest.mark.parametrize("spec", ["images", "images/*", "images/*.jpg", "**/a.*"])
    def test_sidecars_come_along(self, dataset, spec):
        files = scan(dataset, [spec]).files
        stat = (dataset / "images/a.jpg.json").stat()
        times = stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns
        assert files["images/a.jpg.json"] == (stat.st_size, *times)

    def test_several_specs_are_one_bucket(self, dataset):
        both = scan(dataset, ["images/*", "other", "images/s1"])
        assert both == scan(dataset, ["other", "images/*"])
        assert both.images == ["images/a.jpg", "images/s1/b.PNG", "other/e.jpg"]
        assert scan(dataset, []).images == []

    def test_what_is_passed_over_has_a_reason(self, dataset):
        make(dataset, "images/none", "images/list.json", "images/a.jpg.json.json")
        (dataset / "images/broken.jpg").symlink_to("missing.jpg")
        (dataset / "images/self.jpg").symlink_to("self.jpg")
        os.mkfifo(dataset / "images/pipe.jpg")
        listing = scan(dataset, ["images", "images/s2"])
        stray = "a .json file that belongs to no image here"
        assert listing.images == ["images/a.jpg"]
        assert listing.skipped == {
            "images/none": "not an image type (no suffix)",
            "images/list.json": stray,
            "images/a.jpg.json.json": stray,
            "images/broken.jpg": "cannot be opened: No such file or directory",
            "images/self.jpg": "cannot be opened: Too many levels of symbolic links",
            "images/pipe.jpg": "not a regular file",
            "images/s2/notes.txt": "not an image type (.txt)",
        }

    def test_an_image_too_large_is_passed_over_with_its_sidecar(self, dataset):
        os.truncate(dataset / "images/a.jpg", 2_000_001)
        assert "images/a.jpg" in scan(dataset, ["images"], 2.000001).images
        listing = scan(dataset, ["images"], 2)
        assert "images/a.jpg" not in listing.files
        assert "images/a.jpg.json" not in listing.files
        reason = listing.skipped["images/a.jpg"]
        assert reason == "has 2.000 MB, more than --max-file-size 2"

    @pytest.mark.parametrize("code", [errno.EACCES, errno.ESTALE, errno.EIO])
    @pytest.mark.parametrize(
        "spec", ["images/*", "images/s1", "images/**", "images/s*/*"]
    )
    def test_a_folder_that_cannot_be_opened_is_refused(
        self, dataset, monkeypatch, code, spec
    ):
        close(monkeypatch, "s1", code)
        with pytest.raises(Unopened, match="'images/s1' cannot be opened: "):
            scan(dataset, ["images", spec])

    @pytest.mark.parametrize("spec", ["images/s1", "images/*", "images/**"])
    def test_a_folder_whose_files_cannot_be_looked_at_is_refused(
        self, dataset, monkeypatch, spec
    ):
        class Hidden:
            def __init__(self, entry):
                self.name, self.path = entry.name, entry.path
                self.is_dir = entry.is_dir

            def __fspath__(self):
                return self.path

            def stat(self):
                raise PermissionError(errno.EACCES, "Permission denied")

        class Listed(contextlib.AbstractContextManager):
            def __init__(self, path):
                self.entries = map(Hidden, scandir(path))

            def __iter__(self):
                return self.entries

            def __exit__(self, *_):
                pass

        scandir = os.scandir
        guarded = {str(dataset / "images/s1"): Listed}
        monkeypatch.setattr(os, "scandir", lambda p: guarded.get(str(p), scandir)(p))
        with pytest.raises(Unopened, match=r"'images/s1/b\.PNG' cannot be opened"):
            scan(dataset, ["images", spec])

    def test_what_only_root_may_open_is_passed_over(self, dataset, monkeypatch):
        (dataset / "images/lost+found").mkdir()
        (dataset / "images/link").symlink_to("../other")
        for name in ("lost+found", "link"):
            close(monkeypatch, name, errno.EACCES)
        listing = scan(dataset, ["images/*"])
        assert "images/s1/b.PNG" in listing.images
        assert listing.skipped["images/lost+found"] == OF_A_SYSTEM
        assert listing.skipped["images/link"] == "cannot be opened: closed"

    def test_a_folder_named_like_an_image_is_a_folder(self, dataset):
        make(dataset, "images/x.jpg/inner.jpg")
        assert scan(dataset, ["images"]).images == ["images/a.jpg"]
        assert "images/x.jpg" not in scan(dataset, ["images"]).skipped
        assert "images/x.jpg/inner.jpg" in scan(dataset, ["images/*"]).images

    def test_what_systems_and_nas_boxes_leave_is_listed_and_no_photo(self, dataset):
        names = ("@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", "lost+found")
        for name in names:
            make(dataset, f"images/{name}/a.jpg", f"images/s1/{name}/a.jpg/x.jpg")
        make(dataset, "images/.@__thumb/a.jpg", "images/Thumbs.db")
        before = ["images/a.jpg", "images/s1/b.PNG", "images/s1/deep/c.webp"]
        listing = scan(dataset, ["images/**"])
        assert listing.images == before
        of_systems = {p for p, why in listing.skipped.items() if why == OF_A_SYSTEM}
        folders = {f"{f}/{name}" for name in names for f in ("images", "images/s1")}
        assert of_systems == folders | {"images/Thumbs.db"}
        assert scan(dataset, ["images/*"]).images == before[:2]
        # Whoever names it wants it.
        assert scan(dataset, ["images/#recycle"]).images == ["images/#recycle/a.jpg"]

    def test_links(self, dataset):
        images = dataset / "images"
        (images / "link.jpg").symlink_to("a.jpg")
        (images / "linked").symlink_to("../other")
        (images / "loop").symlink_to(".")
        (images / "self").symlink_to("self")
        loose = ["images/a.jpg", "images/link.jpg"]
        assert scan(dataset, ["images"]).images == loose
        assert scan(dataset, ["images/linked"]).images == ["images/linked/e.jpg"]
        deep = ["images/s1/b.PNG", "images/s1/deep/c.webp"]
        listing = scan(dataset, ["images/**"])
        assert listing.images == loose + deep
        passed = {path for path, why in listing.skipped.items() if why == LINKED}
        assert passed == {"images/linked", "images/loop"}
        listing = scan(dataset, ["images/**", "images/linked"])
        assert "images/linked" not in listing.skipped
        found = scan(dataset, ["images/*"]).images
        assert "images/linked/e.jpg" in found
        assert [p for p in found if p.count("loop") > 1] == []
        with pytest.raises(BadBucket, match=r"folders in .*: glob"):
            scan(dataset, ["nowhere"])

    @pytest.mark.parametrize(
        "name",
        ["new\nline.jpg", LATIN1, "-dash.jpg", " a,b .jpg", "x" * 251 + ".jpg"],
        ids=ascii,
    )
    @pytest.mark.parametrize("spec", ["images", "images/*"])
    def test_any_name_will_do(self, dataset, name, spec):
        make(dataset, f"images/{name}")
        assert f"images/{name}" in scan(dataset, [spec]).images

    @pytest.mark.parametrize(
        "spec", ["imgaes", "images/x*", "images/.cache/*", "*.jpg"]
    )
    def test_nothing_matched_names_what_is_there(self, dataset, spec):
        with pytest.raises(BadBucket, match=r"folders in .*: glob\[1\], images, other"):
            scan(dataset, ["images", spec])

    def test_no_folders_and_no_dataset(self, tmp_path):
        with pytest.raises(BadBucket, match="has no folders yet"):
            scan(tmp_path, ["images"])
        with pytest.raises(BadBucket, match="there is no dataset folder"):
            scan(tmp_path / "nowhere", ["images"])

    @pytest.mark.parametrize("spec", ["..", "../other", "images/../..", "/", "/tmp"])
    def test_what_lies_outside_is_refused(self, dataset, spec):
        with pytest.raises(BadBucket, match="outside the dataset folder"):
            scan(dataset, [spec])


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("images/*", ["images/*"]),
        ("a, b/ ,c/**", ["a", "b", "c/**"]),
        ("a,", ["a"]),
        ("red, white", ["red, white"]),
        ("red, white,a", ["red", "white", "a"]),
        (["red, white", "a"], ["red, white", "a"]),
    ],
)
def test_commas_part_specs_save_in_the_name_of_a_folder(tmp_path, text, specs):
    (tmp_path / "red, white").mkdir()
    assert parse_specs(text, tmp_path) == specs


def test_no_spec_at_all_is_refused():
    with pytest.raises(BadBucket, match="no source is named"):
        parse_specs(" , ")


def close(monkeypatch, name: str, code: int) -> None:
    """Let a folder be one that cannot be opened."""
    scandir = os.scandir

    def guarded(path):
        if Path(path).name == name:
            raise OSError(code, "closed")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)


class TestLinksToTheTarget:
    @pytest.mark.parametrize(
        ("link", "leads_to", "spec"),
        [
            ("faces", "images/s1", "images/*"),
            ("faces", "images", "images"),
            ("images/made", "../faces", "images/*"),
            ("images/made", "../faces/small", "images/made"),
        ],
    )
    def test_they_are_an_overlap(self, dataset, link, leads_to, spec):
        (dataset / "faces/small").mkdir(parents=True)
        if link == "faces":
            shutil.rmtree(dataset / "faces")
        (dataset / link).symlink_to(leads_to)
        with pytest.raises(BadBucket, match=r"overlap \('images.*' leads there\)"):
            scan(dataset, [spec], to="faces")

    def test_links_to_elsewhere_are_none(self, dataset):
        (dataset / "images/more").symlink_to("../other")
        (dataset / "faces").symlink_to("glob[1]")
        assert "images/more/e.jpg" in scan(dataset, ["images/*"], to="faces").images


class TestCheckApart:
    @pytest.mark.parametrize(
        ("spec", "to"),
        [
            ("images", "images"),
            ("images/", "images"),
            ("images", "images/"),
            ("./images", "images"),
            ("images", "images/faces"),
            ("images/faces", "images"),
            ("images/*", "images"),
            ("images/*", "images/faces"),
            ("images/*", "images/faces/small"),
            ("images/f*", "images/faces"),
            ("images/*/deep", "images/faces"),
            ("*", "faces"),
            ("**", "faces"),
            ("images/**", "images/faces"),
            ("a/**/b", "a/x/b"),
            ("a/**/b", "a/x"),
            ("glob[1]", "glob[1]"),
        ],
    )
    def test_overlaps_are_refused(self, spec, to):
        with pytest.raises(BadBucket, match="overlap"):
            check_apart(["elsewhere", spec], to)

    @pytest.mark.parametrize(
        ("spec", "to"),
        [
            ("images", "faces"),
            ("images/*", "faces"),
            ("images/**", "faces"),
            ("a/**/b", "c"),
            ("data/images", "data/faces"),
            ("data/images/*", "data/faces"),
            ("images", "images2"),
            ("images2", "images"),
            ("images/s*", "images/faces"),
            ("s?/*", "faces/s1"),
            (".", "faces"),
        ],
    )
    def test_folders_side_by_side_are_fine(self, spec, to):
        check_apart([spec], to)

    @pytest.mark.parametrize("to", ["", " ", ".", "./", "./.", "/", "/x", "..", "a/.."])
    def test_a_target_is_a_folder_of_the_dataset(self, to):
        with pytest.raises(BadBucket, match="below the dataset folder"):
            check_apart(["images"], to)

    def test_a_target_is_not_hidden(self):
        with pytest.raises(BadBucket, match="hidden"):
            check_apart(["images"], ".faces")

    @settings(max_examples=20, deadline=None)
    @given(
        spec=st.lists(st.sampled_from(["a", "b", "*", "**", "a*"]), min_size=1),
        to=st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3),
    )
    def test_results_are_never_read_back(self, spec, to, tmp_path_factory):
        spec, to = "/".join(spec[:3]), "/".join(to)
        try:
            check_apart([spec], to)
        except BadBucket:
            return
        dataset = tmp_path_factory.mktemp("apart")
        folders = [f"{x}/{y}/{z}" for x in "ab" for y in "ab" for z in "ab"]
        make(dataset, *(f"{folder}/source.jpg" for folder in folders))
        make(dataset, f"{to}/made.jpg", f"{to}/000/made.jpg")
        try:
            found = scan(dataset, [spec]).images
        except BadBucket:
            return
        assert [path for path in found if path.endswith("made.jpg")] == []


class TestFingerprint:
    def test_it_changes_when_a_file_comes_goes_or_is_written(self, dataset):
        def now():
            return fingerprint(scan(dataset, ["images/*"]))

        seen = {now()}
        make(dataset, "images/s1/new.jpg")
        seen.add(now())
        (dataset / "images/a.jpg.json").write_text("{}")
        seen.add(now())
        os.utime(dataset / "images/a.jpg", ns=(1, 1))
        seen.add(now())
        (dataset / "images/a.jpg").unlink()
        seen.add(now())
        assert len(seen) == 5
        make(dataset, "images/s1/deep/elsewhere.jpg", "images/s1/notes.txt")
        assert now() in seen

    def test_what_is_ignored_does_not_count(self, dataset):
        listing = scan(dataset, ["images"])
        before = fingerprint(listing)
        make(dataset, "images/ours.jpg")
        grown = scan(dataset, ["images"])
        assert fingerprint(grown, frozenset({"images/ours.jpg"})) == before


shard_sizes = st.integers(1, 5)
many = st.sets(st.text("ab/é\udce9", min_size=1, max_size=6), max_size=40)


class TestSplit:
    @given(paths=many, size=shard_sizes)
    def test_every_path_is_in_exactly_one_shard(self, paths, size):
        shards = split(paths, size)
        assert sorted(p for members in shards.values() for p in members) == sorted(
            paths
        )
        for name, members in shards.items():
            assert 1 <= len(members) <= size
            assert members == sorted(members)
            assert set(name[1:]) <= set("01") and name[0] == "s"

    @given(paths=many, size=shard_sizes, random=st.randoms(use_true_random=False))
    def test_the_order_does_not_matter(self, paths, size, random: random.Random):
        turned = random.sample(sorted(paths), len(paths))
        assert split(turned, size) == split(sorted(paths), size)

    @given(paths=many, new=st.text("ab/é", min_size=7, max_size=9), size=shard_sizes)
    def test_one_more_path_touches_one_shard_at_most(self, paths, new, size):
        before, after = split(paths, size), split(paths | {new}, size)
        touched = [name for name in before if after.get(name) != before[name]]
        assert len(touched) <= 1
        for name in touched:
            heirs = [after[heir] for heir in after if heir.startswith(name)]
            assert {p for members in heirs for p in members} == {*before[name], new}

    def test_few_images_are_one_shard_and_none_are_none(self):
        assert split(["b", "a"], 2) == {"s": ["a", "b"]}
        assert split([], 2) == {}


class TestWrite:
    def test_manifests(self, dataset, tmp_path):
        make(dataset, "images/s2/a.jpg")
        folder = tmp_path / "inventory"
        inventory.write(dataset, ["images/*"], folder, tmp_path / "cache", 10)
        assert inventory.shards(folder) == ["s"]
        assert inventory.count(folder) == 3
        (folder / inventory.SHARDS).write_bytes(b"odd")
        assert inventory.count(folder) == inventory.count(tmp_path / "none") == 0
        assert list(read_table(folder / "s.jsonl")) == [
            {
                "path": path,
                "digest": digest(path.encode()),
                "stem": stem,
                "sidecar": sidecar and digest(sidecar.encode()),
            }
            for path, stem, sidecar in [
                ("images/a.jpg", "images_a", "images/a.jpg.json"),
                ("images/s1/b.PNG", "b", "images/s1/b.PNG.json"),
                ("images/s2/a.jpg", "s2_a", None),
            ]
        ]
        assert list(read_table(folder / "skipped.table")) == [
            {"path": "images/s2/notes.txt", "reason": "not an image type (.txt)"}
        ]

    def test_equal_sources_give_equal_bytes_however_they_are_named(
        self, dataset, tmp_path
    ):
        make(dataset, *(f"images/s{i % 3}/{i}.jpg" for i in range(20)))
        folders = [tmp_path / name for name in ("one", "two")]
        for folder, specs in zip(
            folders,
            (["images/*", "other"], ["other", "images", "images/s?"]),
            strict=True,
        ):
            inventory.write(dataset, specs, folder, tmp_path / "cache", 4)
        one, two = map(contents, folders)
        assert one == two and len(one) > 6
        assert {f"{name}.jsonl" for name in inventory.shards(folders[0])} == {
            name for name in one if name.endswith(".jsonl")
        }
        assert inventory.broken(folders[0], wholly=True) == []

    def test_a_touch_leaves_no_trace(self, dataset, tmp_path):
        before, after = tmp_path / "before", tmp_path / "after"
        inventory.write(dataset, ["images/*"], before, tmp_path / "cache", 1)
        os.utime(dataset / "images/a.jpg", ns=(5, 5))
        inventory.write(dataset, ["images/*"], after, tmp_path / "cache", 1)
        assert contents(after) == contents(before)

    def test_a_bucket_without_images(self, dataset, tmp_path):
        inventory.write(dataset, ["images/s2"], tmp_path / "i", tmp_path / "cache", 4)
        assert inventory.shards(tmp_path / "i") == []
        assert len(list(read_table(tmp_path / "i/skipped.table"))) == 1

    def test_a_file_that_cannot_be_read_is_passed_over(
        self, dataset, tmp_path, monkeypatch
    ):
        def unreadable(path, most):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(digests, "digest_file", unreadable)
        folder = tmp_path / "inventory"
        listing = inventory.write(dataset, ["images"], folder, tmp_path / "cache", 4)
        assert listing.images == [] and inventory.shards(folder) == []
        assert listing.skipped["images/a.jpg"] == "cannot be read"
        monkeypatch.chdir(dataset)
        assert not inventory.is_mended(folder)
        monkeypatch.undo()
        monkeypatch.chdir(dataset)
        assert inventory.is_mended(folder)
        inventory.write(".", ["images"], folder, tmp_path / "cache", 4)
        assert not inventory.is_mended(folder)


def test_nasty_names_survive(shared, tmp_path):
    archive = shared / "data/nasty_names_dups.tar"
    subprocess.run(["tar", "xf", archive], cwd=tmp_path, check=True)
    folder = tmp_path / "inventory"
    inventory.write(tmp_path, ["nasty/**"], folder, tmp_path / "cache", 8)
    rows = [
        row
        for shard in inventory.shards(folder)
        for row in read_table(folder / f"{shard}.jsonl")
    ]
    there = {
        path.relative_to(tmp_path).as_posix()
        for path in (tmp_path / "nasty").rglob("*")
        if path.is_file()
        and path.suffix.lower() in (".jpg", ".jpeg", ".png")
        and not path.name.startswith(".")
    }
    assert {row["path"] for row in rows} == there and len(there) > 35
    names = [f"{row['stem']}_00.jpg.json".casefold() for row in rows]
    assert len(set(names)) == len(names)
    for name in names:
        (tmp_path / "inventory" / name).touch()
    [copies] = [r["digest"] for r in rows if r["path"].endswith("original.jpg")]
    assert sum(row["digest"] == copies for row in rows) == 4  # one is a link
    skipped = {
        row["path"]: row["reason"] for row in read_table(folder / "skipped.table")
    }
    assert "No such file" in skipped["nasty/dups/link_broken.jpg"]
    assert json.dumps(rows)
