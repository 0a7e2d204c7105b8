"""The table of formats, and the errors for a path that has none of them."""

import json
from pathlib import Path

import pytest

from raml_eval.errors import SourceError
from raml_eval.importing import FORMATS, open_source
from raml_eval.importing.samples import Source
from tests.imports import FIXTURES, line, read, write_log

LOGS = {
    "lm-eval": FIXTURES / "lm_eval" / "demo__reasoner",
    "lighteval": FIXTURES / "lighteval" / "details" / "demo" / "reasoner",
    "opencompass": FIXTURES / "opencompass",
    "inspect": FIXTURES / "inspect",
}


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_of_the_table_reads_its_log_twice_alike(format: str, tmp_path: Path) -> None:
    path = LOGS[format] if format in LOGS else write_log(tmp_path / "log.jsonl", [line()])
    source = open_source(format, path)
    assert isinstance(source, Source)
    first = list(source.read())
    assert first
    assert list(source.read()) == first
    assert all(file.is_file() for file in source.files)


def test_an_unknown_format_is_refused_with_near_names(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no log format 'lm_eval'\. Did you mean lm-eval"):
        open_source("lm_eval", tmp_path)


@pytest.mark.parametrize("format", FORMATS)
def test_a_path_that_is_not_there(format: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere does not exist\. Name the file or folder"):
        open_source(format, tmp_path / "nowhere")


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_folder_and_an_empty_file(format: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no "):
        read(format, tmp_path)
    empty = tmp_path / "empty.json"
    empty.write_bytes(b"")
    with pytest.raises(SourceError, match=r"empty\.json (is empty|holds no samples|is not a complete)"):
        read(format, empty)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("content", [b"\x00\xff\xfe not a log", b'{"a": 1}\n', b"[1, 2]\n", b"[" * 100_000, b'"text"\n'])
def test_a_file_of_another_kind_is_one_clear_error(format: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"other\.json"):
        read(format, path)


def test_a_log_of_another_layout_is_an_error_about_the_log(tmp_path: Path) -> None:
    fields = {"doc_id": 0, "doc": {}, "target": "1", "resps": [["x"]], "arguments": {"gen_args_0": {"arg_0": "p", "arg_1": {}}}}
    path = tmp_path / "samples_t_2026-01-01T00-00-00.jsonl"
    path.write_text(json.dumps({**fields, "metrics": 7}) + "\n")
    with pytest.raises(SourceError, match=r"does not have the layout of lm-eval logs \(TypeError"):
        read("lm-eval", path)
