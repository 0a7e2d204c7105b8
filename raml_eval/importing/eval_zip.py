"""Reads members of Inspect's .eval files: zips compressed with Zstandard, which Python's zipfile reads only from 3.14 on."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any

from raml_eval.errors import SourceError
from raml_eval.importing.files import check_kind_of_file, parse_json

ZSTANDARD = 93  # the method's number in the zip format
ENCRYPTED = 1  # the bit of a member's flags
MAX_BYTES = 1 << 30  # unpacked bytes of one member, because a small file can unpack to any size
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")


class EvalZip:
    """An opened .eval file. Raises SourceError if the file is not a complete zip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        check_kind_of_file(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise SourceError(
                f"{path} is not a complete .eval file ({error}). Name a log that was written to its end."
            ) from error
        # A rewritten member occurs twice, and the last one counts, as in any zip.
        self._members = {info.filename: info for info in self._zip.infolist()}

    def __enter__(self) -> EvalZip:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """The members' names, in the order of the file."""
        return list(self._members)

    def read_json(self, name: str) -> Any:
        """The JSON of one member. Raises SourceError if it cannot be unpacked or read."""
        where = f"{self.path}: {name}"
        info = self._members[name]
        if info.file_size > MAX_BYTES:
            raise SourceError(f"{where} claims to unpack to {info.file_size} bytes, wanted at most {MAX_BYTES}. Leave it out.")
        if info.flag_bits & ENCRYPTED:
            raise SourceError(f"{where} is encrypted, so it cannot be read. Unpack the log with its password first.")
        try:
            text = self._unpack_zstandard(info) if info.compress_type == ZSTANDARD else self._zip.read(info)
        except MemoryError:
            raise
        except Exception as error:  # a damaged member: each method of compression has errors of its own
            raise SourceError(f"{where} cannot be unpacked ({error}). Name a log that was written to its end.") from error
        return parse_json(text, where)

    def _unpack_zstandard(self, info: zipfile.ZipInfo) -> bytes:
        import pyarrow as pa

        with self.path.open("rb") as file:
            file.seek(info.header_offset)
            header = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            if header[0] != b"PK\x03\x04":
                raise zipfile.BadZipFile("there is no local header where the directory says")
            file.seek(header[-2] + header[-1], io.SEEK_CUR)  # name and extra field
            packed = file.read(info.compress_size)
        with pa.CompressedInputStream(pa.py_buffer(packed), "zstd") as stream:
            text: bytes = stream.read(info.file_size + 1)
        if len(text) != info.file_size:
            raise ValueError(f"{len(text)} bytes, wanted {info.file_size}")
        return text
