"""What cannot be written is one error, which names the place, the reason and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from raml_eval.errors import ConfigError, StoreError, writing


def test_a_write_that_fails_names_the_place_the_reason_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "below"
    with (
        pytest.raises(ConfigError, match=rf"^cannot write {place}: Not a directory\. Choose a writable --out\.$") as caught,
        writing(place),
    ):
        place.write_text("x")
    assert isinstance(caught.value.__cause__, NotADirectoryError)
    with (
        pytest.raises(StoreError, match=r"cannot write a: no room\. Make room\.$"),
        writing(Path("a"), "Make room.", StoreError),
    ):
        raise OSError("no room")


def test_what_is_no_failed_write_passes() -> None:
    with writing(Path("a")):
        done = True
    assert done
    with pytest.raises(ValueError, match="mine"), writing(Path("a")):
        raise ValueError("mine")
