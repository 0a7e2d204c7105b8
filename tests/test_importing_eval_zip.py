"""Members of .eval files, compressed in each way that Inspect has used."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pytest

from raml_eval.errors import SourceError
from raml_eval.importing.eval_zip import MAX_BYTES, EvalZip
from tests.imports import FIXTURES


def zstandard_zip(path: Path, name: str, packed: bytes, size: int, text: bytes) -> None:
    """A zip with one member of method 93, which this version of Python cannot write."""
    encoded, check = name.encode(), zlib.crc32(text)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 93, 0, 0, check, len(packed), size, len(encoded), 3)
    central = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 93, 0, 0, check, len(packed), size, len(encoded), 0, 0, 0, 0, 0, 0
    )
    body = local + encoded + b"\0\0\0" + packed
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central) + len(encoded), len(body), 0)
    path.write_bytes(body + central + encoded + end)


def test_the_members_of_a_real_log_are_zstandard_and_read() -> None:
    path = FIXTURES / "inspect" / "toy_sums.eval"
    with zipfile.ZipFile(path) as plain:
        assert {info.compress_type for info in plain.infolist()} == {93}
    with EvalZip(path) as log:
        assert "header.json" in log.names
        assert log.read_json("header.json")["eval"]["task"] == "toy_sums"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_logs_of_older_versions_are_deflated(method: int, tmp_path: Path) -> None:
    path = tmp_path / "old.eval"
    with zipfile.ZipFile(path, "w", method) as written:
        written.writestr("a.json", json.dumps({"a": "x" * 1000}))
    with EvalZip(path) as log:
        assert log.read_json("a.json") == {"a": "x" * 1000}


def test_a_long_member_stands_in_several_frames(tmp_path: Path) -> None:
    text = json.dumps({"a": "x" * 5000}).encode()
    codec = pa.Codec("zstd")
    packed = b"".join(codec.compress(text[at : at + 2000], asbytes=True) for at in range(0, len(text), 2000))
    path = tmp_path / "frames.eval"
    zstandard_zip(path, "a.json", packed, len(text), text)
    with EvalZip(path) as log:
        assert log.read_json("a.json") == {"a": "x" * 5000}


def test_a_member_of_another_length_than_it_says(tmp_path: Path) -> None:
    text = b'{"a": 1}'
    packed = pa.Codec("zstd").compress(text, asbytes=True)
    path = tmp_path / "x.eval"
    for size in (len(text) - 1, len(text) + 1):
        zstandard_zip(path, "a.json", packed, size, text)
        with EvalZip(path) as log, pytest.raises(SourceError, match=r"x\.eval: a\.json cannot be unpacked"):
            log.read_json("a.json")


def test_a_member_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.eval"
    zstandard_zip(path, "a.json", b"x", MAX_BYTES + 1, b"")
    with EvalZip(path) as log, pytest.raises(SourceError, match=f"claims to unpack to {MAX_BYTES + 1} bytes"):
        log.read_json("a.json")


@pytest.mark.parametrize("packed", [b"", b"garbage, and no frame"])
def test_a_damaged_member(packed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.eval"
    zstandard_zip(path, "a.json", packed, 8, b"")
    with EvalZip(path) as log, pytest.raises(SourceError, match="cannot be unpacked"):
        log.read_json("a.json")


def test_what_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "x.eval").write_bytes(b"PK nonsense")
    with pytest.raises(SourceError, match=r"is not a complete \.eval file"):
        EvalZip(tmp_path / "x.eval")
