"""Files of other programs: what is read, and one error for each way in which they are unusable."""

from pathlib import Path

import pytest

from raml_eval.errors import SourceError
from raml_eval.importing.files import as_object, read_json, read_lines, refuse_twice, take


def test_lines_come_with_their_places_and_blank_ones_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n\n  \n{"a": 2}')  # the last one without its line break is whole all the same
    assert [(where.rpartition(":")[2], entry["a"]) for where, entry in read_lines(path)] == [("1", 1), ("4", 2)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": 1}\n{"a": ', r"x\.jsonl:2 is not complete JSON"),
        (b'{"a": 1}\n[1]\n', r"x\.jsonl:2 holds list, wanted a JSON object"),
        (b"\n\n", "holds no samples"),
        (b"", "holds no samples"),
        (b"[" * 100_000 + b"\n", "it nests too deeply"),
        (b"\xff\xff\n", r"x\.jsonl:1 is not complete JSON"),
    ],
)
def test_lines_that_cannot_be_read(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=reason):
        list(read_lines(path))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: Is a directory"):
        list(read_lines(tmp_path))
    with pytest.raises(SourceError, match="cannot be read: Is a directory"):
        read_json(tmp_path)


def test_what_an_entry_must_have() -> None:
    assert take({"a": 1}, "a", "here", "X") == 1
    with pytest.raises(SourceError, match="here has no 'b', only a: X logs it otherwise"):
        take({"a": 1}, "b", "here", "X")
    with pytest.raises(SourceError, match="here holds int, wanted a JSON object"):
        as_object(3, "here")


def test_one_task_in_two_logs_is_refused() -> None:
    refuse_twice([("a", Path("x")), ("b", Path("y"))])
    with pytest.raises(SourceError, match="task a is in 2 logs, x and y, wanted one"):
        refuse_twice([("a", Path("x")), ("a", Path("y"))])
