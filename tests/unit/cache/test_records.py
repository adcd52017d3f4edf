import os

import pytest

from dtst_flow.cache.records import Records, tidy

DEPENDS = {"model": "0ff", "code": ["1", "2"]}


def records(folder, job="s0", **options) -> Records:
    return Records(folder, DEPENDS, job, **options)


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_record_comes_back(tmp_path):
    job = records(tmp_path)
    assert job.get("image") is None
    job.put("image", {"faces": [[1.5, None]], "name": "\udce9"})
    for settled in (False, True):
        if settled:
            job.compact()
        for asking in (job, records(tmp_path), records(tmp_path, None)):
            assert asking.get("image") == {"faces": [[1.5, None]], "name": "\udce9"}
            assert asking.get("other image") is None


def test_an_empty_record_is_a_record(tmp_path):
    job = records(tmp_path)
    job.put("image", [])
    assert job.get("image") == []


def test_it_depends_on_all_it_is_made_from_and_on_nothing_else(tmp_path):
    Records(tmp_path, DEPENDS, "s").put("image", 1)
    turned = dict(reversed(DEPENDS.items()))
    assert Records(tmp_path, turned, "s").get("image") == 1
    for other in ({**DEPENDS, "model": "0fe"}, {**DEPENDS, "more": None}, None):
        assert Records(tmp_path, other, "s").get("image") is None


def test_an_image_may_be_named_by_any_value(tmp_path):
    job = records(tmp_path)
    job.put(["image", [[1.0, 2.0]]], "with points")
    job.put(["image", None], "without")
    assert job.get(["image", [[1.0, 2.0]]]) == "with points"
    assert job.get(["image", None]) == "without"


@pytest.mark.parametrize("settled", [False, True])
def test_fresh_overlooks_records_but_keeps_new_ones(tmp_path, settled):
    old = records(tmp_path)
    old.put("image", "old")
    old.compact()
    fresh = records(tmp_path, fresh=True)
    assert fresh.get("image") is None
    fresh.put("image", "new")
    assert fresh.get("image") is None
    if settled:
        fresh.compact()
    assert records(tmp_path).get("image") == "new"


def test_processes_of_a_job_keep_journals_that_become_one_pack(tmp_path):
    workers = [records(tmp_path) for _ in range(3)]
    for i, worker in enumerate(workers):
        worker.put(f"image {i}", i)
    assert len(files_of(tmp_path)) == 3
    records(tmp_path).compact()
    [pack] = files_of(tmp_path)
    assert pack.suffix == ".pack"
    assert [records(tmp_path).get(f"image {i}") for i in range(3)] == [0, 1, 2]


def test_a_job_without_news_leaves_no_pack(tmp_path):
    records(tmp_path / "none").compact()
    assert not files_of(tmp_path)


def test_other_jobs_go_on_when_one_has_settled(tmp_path):
    one, other = records(tmp_path, "s0"), records(tmp_path, "s01")
    one.put("a", 1)
    other.put("b", 2)
    one.compact()
    other.put("c", 3)
    assert [other.get(image) for image in "abc"] == [1, 2, 3]
    other.compact()
    assert [records(tmp_path, "s0").get(image) for image in "abc"] == [1, 2, 3]


def test_what_a_killed_job_left_is_found(tmp_path):
    records(tmp_path, "s0").put("image", 1)
    [journal] = files_of(tmp_path)
    for cut_short in (b"0123", b"0" * 32, b"0" * 32 + b' {"faces"'):
        journal.write_bytes(journal.read_bytes() + cut_short)
        assert records(tmp_path, "s0").get("image") == 1
        journal.write_bytes(journal.read_bytes() + b"\n")
    assert records(tmp_path, "s1").get("image") is None
    (tmp_path / ".dtst-1.tmp").touch()
    tidy(tmp_path.parent)
    [pack] = files_of(tmp_path)
    assert pack.suffix == ".pack"
    assert records(tmp_path, "s1").get("image") == 1


def test_a_journal_that_is_no_file_is_passed_over(tmp_path):
    os.mkfifo(tmp_path / "s0.0123456789ab.journal")
    job = records(tmp_path)
    assert job.get("image") is None
    job.compact()


def test_what_a_link_leads_to_is_left_as_it_is(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    records(tmp_path / "elsewhere").put("image", 1)
    (tmp_path / "elsewhere/user.of.journal").touch()
    before = files_of(tmp_path / "elsewhere")
    (tmp_path / "records").mkdir()
    (tmp_path / "records/embed").symlink_to(tmp_path / "elsewhere")
    tidy(tmp_path / "records")
    assert files_of(tmp_path / "elsewhere") == before
    records(tmp_path / "elsewhere", None).compact()
    assert tmp_path / "elsewhere/user.of.journal" in files_of(tmp_path / "elsewhere")


@pytest.mark.parametrize("content", [b"", b'{"faces": [', b"\0" * 9, b"\xff"])
@pytest.mark.parametrize("settled", [False, True])
def test_a_broken_file_is_computed_anew(tmp_path, content, settled):
    job = records(tmp_path)
    job.put("image", "right")
    if settled:
        job.compact()
    [path] = files_of(tmp_path)
    path.write_bytes(content)
    again = records(tmp_path)
    assert again.get("image") is None
    again.put("image", "right")
    again.compact()
    assert records(tmp_path).get("image") == "right"


def test_a_broken_record_is_computed_anew(tmp_path):
    job = records(tmp_path)
    job.put("image", "right")
    [journal] = files_of(tmp_path)
    journal.write_bytes(journal.read_bytes().replace(b'"right"', b'"right'))
    for settled in (False, True):
        if settled:
            job.compact()
        assert records(tmp_path).get("image") is None
