"""The folder of a diagnosis: one process at a time, one gold for each question, and settings that stay."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from raml_eval.diagnostics.fields import text_of
from raml_eval.diagnostics.folder import DiagnosisFolder, OtherSettings
from raml_eval.errors import ConfigError, CorruptStore, StoreError
from tests.stored import ask


def test_another_gold_of_a_question_is_refused_and_more_questions_are_not(tmp_path: Path) -> None:
    folder = DiagnosisFolder(tmp_path, "kind", {"a": 1})
    folder.keep_golds([ask(0, "7")])
    folder.keep_golds([ask(0, "7"), ask(1, "8")])
    again = DiagnosisFolder(tmp_path, "kind", {"a": 1})
    again.keep_golds([ask(1, "8")])
    with pytest.raises(ConfigError, match=r"was made for another gold of .*\. Choose another --out, or delete the folder"):
        again.keep_golds([ask(0, "9"), ask(1, "8")])


def test_one_process_at_a_time_has_the_folder(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from raml_eval.diagnostics.folder import DiagnosisFolder;"
        "folder = DiagnosisFolder(Path(sys.argv[1]), 'kind', {}); print('open', flush=True); sys.stdin.readline();"
        "folder.finish({}); print('finished', flush=True); sys.stdin.readline()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match="is in use by another raml-eval diagnose"):
            DiagnosisFolder(tmp_path, "kind", {})
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline() == "finished\n"
        assert DiagnosisFolder(tmp_path, "kind", {}).complete
        assert DiagnosisFolder(tmp_path, "kind", {}).complete  # this process has it already
        other.stdin.write("\n")
        other.stdin.flush()
        other.wait(30)
    assert other.returncode == 0


def opens_elsewhere(out: Path) -> bool:
    """True if another process can open the folder now."""
    script = "import sys; from pathlib import Path; from raml_eval.diagnostics.folder import DiagnosisFolder;"
    done = subprocess.run([sys.executable, "-c", f"{script} DiagnosisFolder(Path(sys.argv[1]), 'kind', {{}})", str(out)])
    return done.returncode == 0


def test_an_exception_inside_releases_the_folder(tmp_path: Path) -> None:
    elsewhere = []

    def fails() -> None:
        with DiagnosisFolder(tmp_path, "kind", {}):
            elsewhere.append(opens_elsewhere(tmp_path))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert [*elsewhere, opens_elsewhere(tmp_path)] == [False, True]
    with DiagnosisFolder(tmp_path, "kind", {}) as folder:
        assert not folder.complete
    folder.close()  # again, which changes nothing


def test_other_settings_tell_what_differs(tmp_path: Path) -> None:
    with DiagnosisFolder(tmp_path, "kind", {"stride": 8}) as folder:
        folder.finish({})
    with pytest.raises(OtherSettings) as caught, DiagnosisFolder(tmp_path, "kind", {"stride": 4}):
        pass
    assert caught.value.differences == ("--stride is 8 there and 4 here",)
    assert caught.value.about["settings"] == {"stride": 8}


def test_a_folder_in_which_nothing_was_computed_takes_other_settings(tmp_path: Path) -> None:
    DiagnosisFolder(tmp_path, "kind", {"stride": 8}).close()
    with DiagnosisFolder(tmp_path, "kind", {"stride": 4}) as folder:
        assert folder.about["settings"] == {"stride": 4}
        folder.journal().close()  # an empty one
    with DiagnosisFolder(tmp_path, "kind", {"stride": 2}) as folder:
        (folder.path / "journal.jsonl").write_text('{"one": 1}\n')
    with pytest.raises(OtherSettings, match="--stride is 2 there and 4 here"):
        DiagnosisFolder(tmp_path, "kind", {"stride": 4})


def test_growing_settings_may_gain_entries_and_change_none(tmp_path: Path) -> None:
    def opened(growing: dict[str, dict[str, str]], other: int = 1) -> DiagnosisFolder:
        return DiagnosisFolder(tmp_path, "kind", {"a": other, "words": growing}, growing=["words"])

    first = opened({"sums": {"thinking": "x"}})
    (first.path / "journal.jsonl").write_text('{"one": 1}\n')  # something was computed
    assert opened({"sums": {"thinking": "x", "off": "y"}, "logic": {}}).about["settings"]["words"]["logic"] == {}
    opened({"sums": {"thinking": "x", "off": "y"}, "logic": {}})  # as it is stored now
    for words in ({"sums": {"thinking": "x"}}, {"sums": {"thinking": "z", "off": "y"}, "logic": {}}):
        with pytest.raises(OtherSettings, match="the words"):
            opened(words)
    with pytest.raises(OtherSettings, match="the a is 1 there and 2 here"):
        opened({"sums": {"thinking": "x", "off": "y"}, "logic": {}, "more": {}}, other=2)


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{}", "lacks the field 'id'"),
        ('{"id": 7}', "is not of this file's schema: id is 7, wanted a text"),
        ("[1]", r"wanted a JSON object"),
        ("{'id': 1}", r"wanted a JSON object"),
        (DEEP, r"wanted a JSON object"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_with_its_place(tmp_path: Path, line: str, told: str) -> None:
    folder = DiagnosisFolder(tmp_path, "kind", {})
    path = folder.path / "journal.jsonl"
    path.write_text(f'{{"id": "a"}}\n{line}\n')
    with pytest.raises(CorruptStore, match=told) as caught:
        list(folder.read(lambda line: text_of(line, "id")))
    assert f"{path}:2 " in str(caught.value)
    assert "Repair the line or delete it" in str(caught.value)
    path.write_text('{"id": "a"}\n{"id": "torn')
    assert list(folder.read(lambda line: text_of(line, "id"))) == ["a"]


def test_a_journal_whose_settings_are_gone_is_not_gone_on_with(tmp_path: Path) -> None:
    folder = DiagnosisFolder(tmp_path, "kind", {"a": 1})
    (folder.path / "diagnosis.json").unlink()
    (folder.path / "journal.jsonl").write_text("")
    DiagnosisFolder(tmp_path, "kind", {"a": 2})
    (folder.path / "journal.jsonl").write_text('{"id": "a"}\n')
    DiagnosisFolder(tmp_path, "kind", {"a": 2})
    (folder.path / "diagnosis.json").unlink()
    with pytest.raises(CorruptStore, match=r"holds a journal, but no diagnosis\.json .*\. Restore it, or delete the folder"):
        DiagnosisFolder(tmp_path, "kind", {"a": 2})


@pytest.mark.parametrize("change", [{"complete": None}, {"golds": []}, {"settings": 7}, {"schema_version": 9}])
def test_a_diagnosis_that_was_edited_by_hand_is_one_error(tmp_path: Path, change: dict[str, object]) -> None:
    path = DiagnosisFolder(tmp_path, "kind", {"a": 1}).path / "diagnosis.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CorruptStore, match="is no diagnosis of schema_version 1"):
        DiagnosisFolder(tmp_path, "kind", {"a": 1})
