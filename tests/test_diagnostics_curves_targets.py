"""The sequences of a stored run: exact ids, the places of budgets, and what is left out."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from raml_eval.diagnostics.curves.targets import (
    UNPLACED,
    Asking,
    Choice,
    Skipped,
    Survey,
    Target,
    keep_introductions,
    read_targets,
    survey,
)
from raml_eval.diagnostics.subjects import Gold
from raml_eval.errors import ConfigError
from raml_eval.store.seeking import RunReader
from raml_eval.types import Prompts, QuestionKey
from tests.scripted import CLOSE, OFF, OPEN, Letters, run_scripted
from tests.stored import Drawn, ask, store_run

ALL = Choice()
PROMPTS: dict[QuestionKey, Prompts] = {
    ("sums", f"{i}-abcdef"): {"thinking": (100 + i, OPEN), "off": (100 + i, OFF)} for i in range(6)
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Question i is thought about for i tokens, and read at 0, 3, without a limit, and without thinking."""
    return run_scripted(tmp_path_factory.mktemp("runs") / "run").directory


def read(path: Path, choice: Choice = ALL, lead: str | None = None) -> tuple[list[Target], Skipped]:
    with RunReader(path) as reader:
        found = survey(reader, choice, PROMPTS, "")
        asking = Asking(Letters(), (CLOSE,), found.introductions, lead)
        targets = list(read_targets(reader, choice, found.golds, PROMPTS, asking, found.skipped))
        return targets, found.skipped


def test_every_thinking_and_every_answer_without_one_is_a_target(run: Path) -> None:
    targets, skipped = read(run)
    assert not skipped
    assert len(targets) == 6 * 2 * 2
    assert [one.prompt for one in targets[:4]] == ["thinking", "thinking", "off", "off"]
    assert len({one.id for one in targets}) == len(targets)


def test_an_answer_whose_place_is_not_sure_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raml_eval.diagnostics.curves.targets.answer_starts", lambda *_: None)
    targets, skipped = read(run)
    assert len(targets) == 6 * 2
    assert list(skipped) == [UNPLACED]
    assert (len(skipped[UNPLACED]), skipped[UNPLACED][0].endswith("@off")) == (12, True)
    with RunReader(run) as reader:  # where only thinkings are wanted, none is missed
        found = survey(reader, ALL, PROMPTS, "")
        asking = Asking(Letters(), (CLOSE,), found.introductions)
        assert len(list(read_targets(reader, ALL, found.golds, PROMPTS, asking, found.skipped, answers=False))) == 12
        assert not found.skipped


def test_a_thinking_is_the_prompt_and_the_stored_ids(run: Path) -> None:
    one = next(one for one in read(run)[0] if one.key.question_id == "5-abcdef" and one.prompt == "thinking")
    assert one.token_ids == (105, OPEN, *[97] * 5)
    assert (one.n_prompt, one.length) == (2, 5)
    assert one.marks == (0, 3, 5)
    assert [record.budget for record in one.records] == [0, 3, "unlimited"]
    # The script's correct answers begin with the box itself.
    assert one.probe.ids == (CLOSE, *map(ord, "\\boxed{5"))
    assert one.probe.n_scored == 1


def test_an_answer_without_thinking_ends_before_its_box(run: Path) -> None:
    one = next(one for one in read(run)[0] if one.key.question_id == "5-abcdef" and one.prompt == "off")
    assert one.token_ids == (105, OFF)
    assert one.length == 0
    # No answer of this prompt is correct, so that of the thinking, which is empty, leads to the gold; no delimiter is written.
    assert Letters().decode(one.probe.ids) == "\\boxed{5"


def test_a_lead_of_ones_own_replaces_everything_before_the_gold(run: Path) -> None:
    one = read(run, lead="It is ")[0][0]
    assert Letters().decode(one.probe.ids) == "</t>It is 0"


def test_a_choice_is_a_part_of_a_larger_one(run: Path) -> None:
    ids = [{one.id for one in read(run, Choice(limit=n))[0]} for n in (1, 2, 4, None)]
    assert all(less < more for less, more in itertools.pairwise(ids))
    assert {one.key.index for one in read(run, Choice(samples=1))[0]} == {0}
    with pytest.raises(ConfigError, match=r"'other' is not in .* which has sums"):
        read(run, Choice(tasks=["other"]))


def test_questions_whose_gold_is_no_single_text_are_named(tmp_path: Path) -> None:
    questions = [ask(0, "12"), ask(1, ""), ask(2, '{"House 1": {"Name": "Ann"}}', kind="grid")]
    path = store_run(tmp_path / "run", questions, [Drawn("\\boxed{12}", question=n) for n in range(3)])
    targets, skipped = read(path)
    assert [one.key.question_id for one in targets] == ["0-abcdef"]
    assert skipped == {"no gold": ["sums/1-abcdef"], "the gold of grader grid is no single text": ["sums/2-abcdef"]}


def test_a_closing_that_begins_the_answer_is_not_repeated() -> None:
    introductions = {("sums", "thinking"): "\n\n", ("sums", "off"): "\n\n"}
    asking = Asking(Letters(), (CLOSE, *map(ord, "So \\boxed{")), introductions, after="So \\boxed{")
    gold = Gold("\\boxed{", "5")
    assert asking.probe("thinking", "sums", gold).ids == (CLOSE, *map(ord, "So \\boxed{5"))
    assert asking.probe("off", "sums", gold).ids == tuple(map(ord, "\n\n\\boxed{5"))


def test_the_introductions_of_a_folder_stay_and_what_would_be_now_is_told() -> None:
    found = Survey({("sums", "thinking"): "So ", ("sums", "off"): "", ("logic", "thinking"): "x"})
    stored = {"introductions": {"sums": {"thinking": "\n\n", "off": ""}, "gone": {"thinking": "y"}}}
    (note,) = keep_introductions(found, stored)
    assert note.startswith("The gold of sums (thinking) is introduced by '\\n\\n', as when this diagnosis was begun;")
    assert "by 'So '" in note
    assert "choose another --out or delete the folder" in note
    assert found.introductions == {
        ("sums", "thinking"): "\n\n", ("sums", "off"): "", ("logic", "thinking"): "x", ("gone", "thinking"): "y",
    }  # fmt: skip


@pytest.mark.parametrize("settings", [{}, {"introductions": {}}, {"introductions": None}, {"introductions": {"sums": 7}}])
def test_a_new_folder_has_the_introductions_of_the_run(settings: dict[str, object]) -> None:
    found = Survey({("sums", "thinking"): "So "})
    assert keep_introductions(found, settings) == []
    assert found.introductions == {("sums", "thinking"): "So "}
