"""`diagnose statistics` over small runs whose numbers are computed by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from raml_eval.checkpoint import find_checkpoint
from raml_eval.diagnostics.statistics import diagnose_statistics
from raml_eval.errors import ConfigError, CorruptStore, ModelError, StoreError
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.store.lines import pack_ids
from raml_eval.types import Grade, Status
from tests.imports import import_lines, line
from tests.stored import WRONG, Drawn, ask, store_run

SEVEN, FIVE = Grade(Status.CORRECT, "7"), Grade(Status.CORRECT, "5")
QUESTIONS = [ask(0, "7"), ask(1, "5")]
SAMPLES = [
    Drawn("7", SEVEN, thinking="aa 7"),
    Drawn("9", WRONG, thinking="bbbbbbbb"),
    Drawn("7", SEVEN, thinking="cc"),
    Drawn("5", FIVE, question=1, thinking="dddd 5 d"),
    Drawn("9", WRONG, question=1, thinking="ee 5"),
]


def table(folder: Path, name: str) -> list[dict[str, Any]]:
    frame = pd.read_parquet(folder / f"{name}.parquet")
    return [dict(row) for row in frame.astype(object).where(frame.notna(), None).to_dict("records")]


def section(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "section.json").read_text()))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return store_run(tmp_path / "run", QUESTIONS, SAMPLES)


def test_lengths_by_verdict(run: Path) -> None:
    folder = diagnose_statistics(run, run / "diagnostics")
    found = {row["verdict"]: row for row in table(folder, "lengths")}
    assert list(found) == ["all", "correct", "incorrect"]
    assert [found[verdict]["n"] for verdict in found] == [5, 3, 2]
    assert [found[verdict]["mean"] for verdict in found] == [pytest.approx(x) for x in (5.2, 14 / 3, 6.0)]
    assert [found["all"][name] for name in ("lower", "median", "upper", "unit")] == [4, 4, 8, "tokens"]
    assert (found["all"]["mean_low"], found["all"]["mean_high"]) == (None, None)  # two questions say little of the spread


@pytest.mark.parametrize(
    ("thinking", "note"),
    [("so 7 8 9", "sums: 0 of 6 correct thinkings name the gold as the task spells it, such as '7, 8, 9'"), ("so 7,8,9", "")],
)
def test_a_gold_that_thinkings_spell_in_another_way_is_told(tmp_path: Path, thinking: str, note: str) -> None:
    grade = Grade(Status.CORRECT, "7, 8, 9")
    samples = [Drawn("7, 8, 9", grade, thinking=thinking, question=row) for row in range(6)]
    run = store_run(tmp_path / "run", [ask(row, "7, 8, 9") for row in range(6)], samples)
    told = section(diagnose_statistics(run, run / "diagnostics"))["notes"]
    assert [one for one in told if "as the task spells it" in one] == [one for one in told if note and note in one]
    assert bool(note) == any("as the task spells it" in one for one in told)


def test_a_mean_over_six_questions_has_an_interval(tmp_path: Path) -> None:
    samples = [Drawn("7", SEVEN, thinking="so " * (2 + row), question=row) for row in range(6)]
    run = store_run(tmp_path / "run", [ask(row, "7") for row in range(6)], samples)
    (found,) = [row for row in table(diagnose_statistics(run, run / "diagnostics"), "lengths") if row["verdict"] == "all"]
    assert 0 <= found["mean_low"] < found["mean"] < found["mean_high"]


def test_length_against_correctness(run: Path) -> None:
    folder = diagnose_statistics(run, run / "diagnostics")
    every, natural = table(folder, "within")
    assert (every["of"], every["n_questions"], every["n_both"]) == ("all", 2, 2)
    assert every["auroc"] == 0.5  # 0 in the first question, 1 in the second
    assert every["ratio"] == pytest.approx(2**-0.25)  # a mean log of -1.5 ln 2 and of ln 2
    assert every["pooled_auroc"] == pytest.approx(1 / 3)  # of six pairs one is won, two are ties
    assert every["pooled_ratio"] == pytest.approx(math.exp((6 * math.log(2)) / 3 - (5 * math.log(2)) / 2))
    assert natural["of"] == "natural end"
    assert natural["auroc"] == every["auroc"]


def test_the_shortest_thinking(run: Path) -> None:
    (row,) = table(diagnose_statistics(run, run / "diagnostics"), "shortest")
    assert (row["n_several"], row["shortest"], row["longest"], row["ratio"]) == (1, 2, 4, pytest.approx(2.0))
    assert row["accuracy"] == pytest.approx(7 / 12)
    assert row["accuracy_of_shortest"] == 0.5
    assert row["gain"] == pytest.approx(-1 / 12)


def test_where_the_gold_stands(run: Path) -> None:
    folder = diagnose_statistics(run, run / "diagnostics")
    rows = table(folder, "subjects")
    assert [row["gold_at_share"] for row in rows] == [0.75, None, None, 0.625, 0.75]
    assert {row["gold_at_token"] for row in rows} == {None}  # there is no tokenizer of this run
    assert "3 thinkings whose tokens no tokenizer at hand gives the text of" in " ".join(section(folder)["notes"])
    found = {row["verdict"]: row for row in table(folder, "gold")}
    assert found["all"]["named"] == pytest.approx(3 / 5)
    assert found["correct"]["at_share"] == pytest.approx((0.75 + 0.625) / 2)
    assert (found["correct"]["at_token"], found["incorrect"]["named"]) == (None, 0.5)


def test_the_tokenizer_of_a_named_model_tells_the_golds_token(tmp_path: Path) -> None:
    text = "17+25=42"
    samples = [Drawn("42", Grade(Status.CORRECT, "42"), thinking=text)]
    run = store_run(tmp_path / "run", [ask(1, "42")], samples)
    ids = load_tokenizer(find_checkpoint("pocket")).encode(text, add_special_tokens=False)
    place = run / "trajectories.jsonl"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"token_ids": pack_ids(ids)}) + "\n")
    folder = diagnose_statistics(run, tmp_path / "out")
    assert [row["gold_at_token"] for row in table(folder, "subjects")] == [None]
    assert any("--model says where the checkpoint" in note for note in section(folder)["notes"])
    diagnose_statistics(run, tmp_path / "out", model="pocket")  # the folder is gone on with: a tokenizer is no setting
    (row,) = table(folder, "subjects")
    assert 0 < row["gold_at_token"] <= 6
    assert {row["at_token"] for row in table(folder, "gold")} == {row["gold_at_token"]}
    assert not any("no tokenizer" in note for note in section(folder)["notes"])
    with pytest.raises(ModelError, match="/no/such/model"):
        diagnose_statistics(run, tmp_path / "other", model="/no/such/model")
    assert not (tmp_path / "other").exists()


def test_a_note_counts_the_thinkings_that_the_table_of_golds_counts(tmp_path: Path) -> None:
    asked = [ask(0, "7"), ask(5, "5")]  # the second question's own text holds its gold
    samples = [Drawn("7", SEVEN, thinking="so 7"), Drawn("5", FIVE, question=1, thinking="so 5")]
    folder = diagnose_statistics(store_run(tmp_path / "run", asked, samples), tmp_path / "out")
    (row,) = [row for row in table(folder, "gold") if row["verdict"] == "all"]
    assert (row["n_fresh"], row["n_given"], row["named"]) == (1, 1, 1.0)
    assert any(note.startswith("1 thinking whose tokens no tokenizer") for note in section(folder)["notes"])


def test_a_sweep_is_followed(tmp_path: Path) -> None:
    samples = [
        Drawn("7", SEVEN, budget=16, thinking="so it is 7"),
        Drawn("7", SEVEN, budget=16, thinking="but it is seven"),
        Drawn("9", Grade(Status.INCORRECT, "9"), budget=4, thinking="so i"),
        Drawn("7", SEVEN, budget=4, thinking="but "),
    ]
    run = store_run(tmp_path / "run", [ask(0, "7")], samples)
    folder = diagnose_statistics(run, run / "diagnostics")
    (row,) = table(folder, "changes")
    assert (row["n"], row["changes"], row["any_wrong_to_right"], row["any_right_to_wrong"]) == (2, 0.5, 0.5, 0)
    assert [row[name] for name in ("settled_4", "settled_16")] == [0.5, 0.5]
    assert [one["verdict"] for one in table(folder, "subjects")] == ["correct", "correct"]
    assert [one["n_tokens"] for one in table(folder, "subjects")] == [10, 15]


def test_answers_of_one_class_are_the_same_before_the_run_has_formed_its_classes(tmp_path: Path) -> None:
    def swept(first: str, second: str) -> dict[str, Any]:
        graded = [Grade(Status.CORRECT, first), Grade(Status.CORRECT, second)]
        samples = [
            Drawn(second, graded[1], budget=16, thinking="so it is"),
            Drawn(first, graded[0], budget=4, thinking="so i"),
        ]
        run = store_run(tmp_path / f"{first}{second}", [ask(0, "7")], samples)
        assert not (run / "classes.json").exists()
        return table(diagnose_statistics(run, run / "diagnostics"), "subjects")[0]

    assert swept("7", "7.0")["answer_changes"] == 0
    assert swept("7", "8")["answer_changes"] == 1


def test_a_run_without_a_sweep_has_no_table_of_changes(run: Path) -> None:
    folder = diagnose_statistics(run, run / "diagnostics")
    assert "changes.parquet" not in [one["file"] for one in section(folder)["tables"]]
    assert all(row["answer_changes"] is None for row in table(folder, "subjects"))


def test_a_run_without_correct_samples(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", [ask(0, "7"), ask(1, "5")], [Drawn("9"), Drawn("9", question=1, thinking="")])
    folder = diagnose_statistics(run, run / "diagnostics")
    every, _ = table(folder, "within")
    assert (every["n_both"], every["auroc"], every["ratio"], every["pooled_auroc"]) == (0, None, None, None)
    (row,) = table(folder, "shortest")
    assert (row["shortest"], row["ratio"], row["n_several"]) == (None, None, 0)


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", [ask(0, "7")], [Drawn("7", SEVEN)])
    (run / "samples.jsonl").write_text("")
    folder = diagnose_statistics(run, run / "diagnostics")
    assert section(folder)["tables"] == []
    assert "nothing to count" in section(folder)["lead"]
    assert json.loads((run / "manifest.json").read_text())["name"] in section(folder)["lead"]
    about = json.loads((folder / "diagnosis.json").read_text())
    assert (about["complete"], about["n_subjects"], about["skipped"]) == (True, 0, {"no sample reads it": 1})


def test_an_imported_run_is_measured_in_characters(tmp_path: Path) -> None:
    texts = ["<think>\nWait, 4\n</think>\n\n\\boxed{4}", "<think>\nabcdefghijk\n</think>\n\n\\boxed{5}"]
    stored = import_lines(tmp_path, [line(question_id="a", completion=text, finish="stop") for text in texts])
    folder = diagnose_statistics(stored.directory, tmp_path / "out")
    rows = table(folder, "subjects")
    assert [row["n_tokens"] for row in rows] == [None, None]
    assert [row["n_characters"] for row in rows] == [len(one.text) for one in stored.trajectories.values()]
    assert {row["unit"] for row in table(folder, "lengths")} == {"characters"}
    told = " ".join(section(folder)["notes"])
    assert "2 thinkings without a token count" in told
    assert "in characters" in section(folder)["tables"][0]["title"]


def test_a_planned_thinking_that_is_missing_is_told(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", QUESTIONS, SAMPLES)  # three samples of one question, two of the other
    assert any(note.startswith("5 of 6 planned thinkings") for note in section(diagnose_statistics(run, run / "d"))["notes"])


def test_a_diagnosis_that_was_cut_short_is_incomplete_and_is_made_again(run: Path) -> None:
    folder = diagnose_statistics(run, run / "diagnostics")
    before = table(folder, "lengths")
    samples = run / "samples.jsonl"
    good = samples.read_text()
    spoilt = good.splitlines()
    spoilt[3] = spoilt[3].replace('"status":"correct"', '"status":"perfect"')
    samples.write_text("\n".join(spoilt) + "\n")
    with pytest.raises(CorruptStore, match=r"samples\.jsonl:4"):
        diagnose_statistics(run, run / "diagnostics")
    assert json.loads((folder / "diagnosis.json").read_text())["complete"] is False
    samples.write_text(good)
    assert table(diagnose_statistics(run, run / "diagnostics"), "lengths") == before
    assert json.loads((folder / "diagnosis.json").read_text())["complete"] is True


def test_the_run_is_not_changed_and_equal_runs_give_equal_tables(run: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    one, other = diagnose_statistics(run, tmp_path / "one"), diagnose_statistics(run, tmp_path / "other")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    for path in one.iterdir():
        if path.suffix in (".json", ".parquet", ".svg"):
            assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_tasks_are_chosen_and_another_choice_is_another_diagnosis(tmp_path: Path) -> None:
    asked = [ask(0, "7"), ask(1, "5", task="more")]
    run = store_run(tmp_path / "run", asked, [Drawn("7", SEVEN), Drawn("5", FIVE, question=1)])
    folder = diagnose_statistics(run, run / "d", ["more"])
    assert {row["task"] for row in table(folder, "subjects")} == {"more"}
    assert section(folder)["lead"].startswith("Only more. Of 1 thinking,")
    with pytest.raises(ConfigError, match="--task is more there and sums, more here"):
        diagnose_statistics(run, run / "d")
    with pytest.raises(ConfigError, match="nosuch"):
        diagnose_statistics(run, run / "e", ["nosuch"])
    assert not (run / "e").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a run directory"):
        diagnose_statistics(tmp_path, tmp_path / "out")
