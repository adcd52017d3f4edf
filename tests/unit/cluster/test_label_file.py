import os
import threading

import pytest

from dtst_flow.cluster import label_file
from dtst_flow.cluster.label_file import Label, LabelsRefused, edit, read


class TestRead:
    def test_without_a_file_there_are_none(self, tmp_path):
        assert read(tmp_path / "labels.csv") == ([], [])

    def test_every_relation(self, tmp_path):
        (tmp_path / "labels.csv").write_bytes(
            b"\xef\xbb\xbfrelation,image,other\r\n"
            b'must-link,a.jpg,"c,1.jpg"\r\n'
            b"\r\n# twins\r\n"
            b"cannot-link, a.jpg , b.jpg\r\n"
            b"name,d.jpg,Ann\r\n"
            b"reject,e.jpg\r\n"
            b"reject,f.jpg,a dog\r\n"
            b"not,g.jpg,Ann\r\n"
        )
        labels, faults = read(tmp_path / "labels.csv")
        assert faults == []
        assert labels == [
            Label(2, "must-link", "a.jpg", "c,1.jpg"),
            Label(5, "cannot-link", "a.jpg", "b.jpg"),
            Label(6, "name", "d.jpg", "Ann"),
            Label(7, "reject", "e.jpg", ""),
            Label(8, "reject", "f.jpg", "a dog"),
            Label(9, "not", "g.jpg", "Ann"),
        ]

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            ("must-link,a.jpg", "2 cells, not 3"),
            ("same,a.jpg,b.jpg", "'same' is none of"),
            ("must-link,a.jpg,a.jpg", "linked to itself"),
            ("name,a.jpg,", "a cell is empty"),
            ("reject,,", "a cell is empty"),
        ],
    )
    def test_a_bad_line_costs_only_itself(self, tmp_path, line, fault):
        (tmp_path / "labels.csv").write_text(f"{line}\nname,d.jpg,Ann\n")
        labels, (told,) = read(tmp_path / "labels.csv")
        assert labels == [Label(2, "name", "d.jpg", "Ann")]
        assert "labels.csv, line 1" in told and fault in told

    def test_what_is_no_file_is_told(self, tmp_path):
        (tmp_path / "labels.csv").mkdir()
        labels, (told,) = read(tmp_path / "labels.csv")
        assert labels == [] and "cannot be read" in told

    def test_a_spreadsheet_may_have_semicolons_and_fill_up_its_table(self, tmp_path):
        (tmp_path / "labels.csv").write_text(
            "relation;image;other;\n# a, b;;;\nname;a,1.jpg;Lee, Ann;\nreject;b.jpg;;\n"
            "not,c;1.jpg,Ann\n"
        )
        labels, faults = read(tmp_path / "labels.csv")
        assert faults == []
        assert labels == [
            Label(3, "name", "a,1.jpg", "Lee, Ann"),
            Label(4, "reject", "b.jpg", ""),
            Label(5, "not", "c;1.jpg", "Ann"),
        ]

    def test_lines_are_counted_as_an_editor_does(self, tmp_path):
        (tmp_path / "labels.csv").write_text(
            '# say "no\nname,"two\nlines.jpg",Ann\nname,d.jpg,Bob\n'
        )
        labels, _ = read(tmp_path / "labels.csv")
        assert labels == [
            Label(2, "name", "two\nlines.jpg", "Ann"),
            Label(4, "name", "d.jpg", "Bob"),
        ]

    def test_another_encoding_is_told(self, tmp_path):
        (tmp_path / "labels.csv").write_text("name,d.jpg,Ann\n", "utf-16")
        labels, (told,) = read(tmp_path / "labels.csv")
        assert labels == [] and "save it as UTF-8" in told


ANN = ("name", "a.jpg", "Lee, Ann")
NO = ("reject", "b.jpg", "")


class TestEdit:
    def test_a_new_file_has_a_header(self, tmp_path):
        edit(tmp_path / "cluster/labels.csv", [ANN, NO, ANN])
        text = (tmp_path / "cluster/labels.csv").read_text()
        assert text == 'relation,image,other\nname,a.jpg,"Lee, Ann"\nreject,b.jpg,\n'
        assert os.listdir(tmp_path / "cluster") == ["labels.csv"]

    def test_nothing_to_add_makes_no_file(self, tmp_path):
        edit(tmp_path / "labels.csv", [], [ANN])
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (b"", b'relation,image,other\nname,a.jpg,"Lee, Ann"\n'),
            (b"# mine", b'# mine\nname,a.jpg,"Lee, Ann"\n'),
            (
                b"\xef\xbb\xbfrelation;image;other\r\n not ; \xff.jpg;x\r\nreject;b.jpg\r\n",
                b"\xef\xbb\xbfrelation;image;other\r\n not ; \xff.jpg;x\r\n"
                b"name;a.jpg;Lee, Ann\r\n",
            ),
            (
                b'must-link,"a\nb",c\n\nreject,b.jpg,\n#reject,b.jpg,\nrubbish\n',
                b'must-link,"a\nb",c\n\n#reject,b.jpg,\nrubbish\nname,a.jpg,"Lee, Ann"\n',
            ),
            (b'name,a.jpg,"Lee, Ann"', b'name,a.jpg,"Lee, Ann"'),
        ],
    )
    def test_all_else_stays_byte_for_byte(self, tmp_path, before, after):
        path = tmp_path / "labels.csv"
        path.write_bytes(before)
        edit(path, [ANN], [NO])
        assert path.read_bytes() == after
        labels, _ = read(path)
        assert ANN in [label.cells for label in labels]

    def test_an_edit_in_between_is_not_lost(self, tmp_path, monkeypatch):
        path = tmp_path / "labels.csv"
        path.write_text("not,x.jpg,Bob\n")
        write = label_file.write_atomic
        by_hand = iter(["not,y.jpg,Bob\n", ""])

        def meanwhile(*args, **options):
            write(*args, **options)
            with open(path, "a") as file:
                file.write(next(by_hand))

        monkeypatch.setattr(label_file, "write_atomic", meanwhile)
        edit(path, [NO])
        assert path.read_text() == "not,x.jpg,Bob\nnot,y.jpg,Bob\nreject,b.jpg,\n"

    def test_many_at_once_lose_nothing(self, tmp_path):
        path = tmp_path / "labels.csv"
        lines = [("reject", f"{n}.jpg", "") for n in range(40)]
        threads = [threading.Thread(target=edit, args=(path, [c])) for c in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        labels, _ = read(path)
        assert sorted(label.cells for label in labels) == sorted(lines)

    def test_it_keeps_its_mode(self, tmp_path):
        path = tmp_path / "labels.csv"
        path.write_text("# mine\n")
        path.chmod(0o640)
        edit(path, [NO])
        assert path.stat().st_mode & 0o777 == 0o640

    @pytest.mark.parametrize("kind", ["link", "folder", "wide"])
    def test_what_cannot_be_edited_is_told_and_stays(self, tmp_path, kind):
        path, other = tmp_path / "labels.csv", tmp_path / "other.csv"
        other.write_bytes("name,d.jpg,Ann\n".encode("utf-16"))
        if kind == "link":
            path.symlink_to(other)
        elif kind == "folder":
            path.mkdir()
        else:
            path.write_bytes(other.read_bytes())
        content = other.read_bytes()
        with pytest.raises(LabelsRefused, match=r"labels\.csv"):
            edit(path, [NO])
        assert other.read_bytes() == content
        assert path.is_dir() or path.read_bytes() == content
