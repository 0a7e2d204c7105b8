"""The file of an entry: its schema, its digest, its text and its name."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import raml_eval.reporting
from raml_eval.errors import InputError
from raml_eval.reporting.boards.entry import (
    digest_of,
    entry_text,
    file_name,
    read_content,
    schema,
    seal,
    validate,
    write_atomically,
)

SCHEMA = Path(raml_eval.reporting.__file__).parent / "schemas" / "leaderboard-entry.json"
ENTRIES = sorted((Path(__file__).resolve().parents[1] / "leaderboards").glob("*/entries/*.json"))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def test_the_shipped_schema_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json.loads(json.dumps(schema()))


@pytest.mark.skipif(importlib.util.find_spec("jsonschema") is None, reason="jsonschema is not installed")
@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_the_shipped_entries_follow_the_schema(path: Path) -> None:
    import jsonschema

    checker = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    entry = json.loads(path.read_text(encoding="utf-8"))
    checker.validate(entry)
    assert list(checker.iter_errors({**entry, "schema_version": 1}))
    assert list(checker.iter_errors({key: value for key, value in entry.items() if key != "digest"}))


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_every_key_of_an_entry_is_needed(path: Path) -> None:
    entry = json.loads(path.read_text(encoding="utf-8"))
    validate(entry, path)
    for key in entry:
        with pytest.raises(InputError, match="no schema_version" if key == "schema_version" else key):
            validate({name: value for name, value in entry.items() if name != key}, path)


@given(st.dictionaries(st.text(max_size=5), PLAIN, max_size=4))
def test_a_digest_is_that_of_what_is_read_back(content: dict[str, object]) -> None:
    sealed = seal({key: value for key, value in content.items() if key != "digest"})
    read = json.loads(entry_text(sealed).encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass"))
    assert read == sealed
    assert digest_of(read) == read["digest"]
    changed = {**read, "one more": 1}
    assert digest_of(changed) != read["digest"]


def test_each_row_is_a_line() -> None:
    text = entry_text({"a": 1, "rows": [{"x": 1}, {"x": [2, 3]}], "empty": [], "of": {"k": {"y": "é"}}})
    rows = [' "rows": [', '  {"x": 1},', '  {"x": [2, 3]}', " ],"]
    assert text.splitlines() == ["{", ' "a": 1,', *rows, ' "empty": [],', ' "of": {', '  "k": {"y": "é"}', " }", "}"]


def test_an_entry_is_whole_or_not_there(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b.json", "text")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.json"]
    with pytest.raises(InputError, match=r"would hold half of a character \(U\+D800\)"):
        write_atomically(tmp_path / "a" / "b.json", "\ud800")
    assert (tmp_path / "a" / "b.json").read_text() == "text"
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Make the folder writable"):
        write_atomically(tmp_path / "file" / "b.json", "text")


def test_what_is_no_entry_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")  # reading one would wait for ever
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "large.json").write_text("[1, 2]")
    monkeypatch.setattr("raml_eval.reporting.boards.entry.MAX_BYTES", 5)
    for name, told in (("folder", "no file"), ("pipe", "no file"), ("gone", "No such file"), ("large", "wanted at most")):
        with pytest.raises(InputError, match=rf"{name}\.json cannot be read: .*{told}"):
            read_content(tmp_path / f"{name}.json")


@given(st.text(max_size=200))
def test_any_model_name_is_a_file_of_the_folder(model: str) -> None:
    name = file_name(model)
    assert Path("entries", f"{name}.json").parent == Path("entries")
    assert name.strip(".") == name != ""
    assert name.isascii()
    assert len(name) <= 100
