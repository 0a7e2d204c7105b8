"""Leaderboards: which runs may enter, what is refused, and that a board says what its entries hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import ConfigError, InputError, MetricError
from raml_eval.reporting.boards.leaderboard import (
    add_entry,
    add_published,
    build_board,
    find_problems,
    not_rebuilt,
    unknown_tasks,
)
from raml_eval.reporting.footnotes import footnotes
from raml_eval.tables import build_frame
from raml_eval.types import Status, StoredRun
from tests.boards import BOARD, PROTOCOL, entrant, tamper, write_board
from tests.test_cli import FAKE, cli, fails

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = sorted(path.parent for path in (ROOT / "leaderboards").glob("*/board.yaml"))
QUOTED = {
    "kind": "published",
    "model": "theirs",
    "source": {"title": "A paper", "url": "https://example.org/paper", "place": "table 1"},
    "about": "No n.",
    "numbers": [{"task": "pocket_chain", "metric": "pass@4", "percent": "20.30"}],
}


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return write_board(tmp_path / "board")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def readme(board: Path) -> str:
    return build_board(board)[0].read_text(encoding="utf-8")


def rows(text: str, title: str) -> list[list[str]]:
    """The cells of the table below a title."""
    lines = text.split(f"**{title}", 1)[1].split("**", 1)[1].split("\n\n")[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[2:]]


def test_an_entry_holds_counts_by_question_and_where_they_came_from(board: Path) -> None:
    run = entrant("org/model", lambda row: row % 5, engine={"details": {"cache": "/root/.cache/x"}})
    path = add_entry(board, run)
    assert path == board / "entries" / "org--model.json"
    text = path.read_text(encoding="utf-8")
    entry = json.loads(text)
    asked = entry["questions"]["pocket_chain"]
    cell = next(of for of in entry["counts"] if (of["task"], of["budget"]) == ("pocket_chain", "16"))
    by_id = dict(zip(asked["ids"], cell["correct"], strict=True))
    assert by_id == {f"{row}-aaaaaa": row % 5 for row in range(30)}
    assert cell["n"] == [4] * 30
    assert cell["forced"] == [4] * 30
    assert cell["thinking_tokens"] == [64] * 30
    assert cell["answer_tokens"] == [5 + 6 + 7 + 8] * 30
    assert sorted(cell["classes"][asked["ids"].index("2-aaaaaa")]) == [[1, 0], [1, 0], [2, 2]]
    assert (entry["backend"], entry["grader_version"], entry["caveats"]) == ("hf", "4", [])
    assert "/root" not in text
    assert list(path.parent.iterdir()) == [path]  # no draft stays


def test_a_system_prompt_that_looks_like_a_path_is_kept(board: Path) -> None:
    prompt = {**PROTOCOL["prompt"], "system_prompt": "/no_think"}
    write_board(board, BOARD.replace("system_prompt: null", "system_prompt: /no_think"))
    path = add_entry(board, entrant("m", protocol={**PROTOCOL, "prompt": prompt}))
    assert json.loads(path.read_text())["protocol"]["prompt"]["system_prompt"] == "/no_think"


@pytest.mark.parametrize(
    ("section", "value", "key"),
    [
        ("prompt", {"plain": "/home/someone/secret"}, "prompt.plain"),
        ("prompt", {"plain": "Say hf_AbCdEfGhIjKlMnOpQrSt"}, "prompt.plain"),
        ("judge", {"url": "http://u:s3cr3t@host/v1?token=s3cr3t"}, "judge.url"),
        ("thinking", {"closing": {"before": ""}, "continuation": "/home/someone/x"}, "thinking.continuation"),
    ],
)
def test_a_protocol_with_a_path_or_a_secret_is_not_published(
    board: Path, section: str, value: dict[str, Any], key: str
) -> None:
    protocol = {**PROTOCOL, section: {**PROTOCOL.get(section, {}), **value}}
    with pytest.raises(InputError, match=f"would publish .* holds in {key}; wanted none") as error:
        add_entry(board, entrant("m", protocol=protocol))
    assert "s3cr3t" not in str(error.value)
    assert not (board / "entries").exists()
    path = add_entry(board, entrant("m"))
    tamper(path, lambda entry: entry["protocol"].update({section: protocol[section]}))
    assert f"holds in {key}" in "".join(find_problems(board))


def test_the_names_of_a_run_and_its_engine_are_cleaned(board: Path) -> None:
    run = entrant("m", engine={"version": "/home/someone/engine", "dtype": "token=abcdef123"})
    run = replace(run, name="token=abcdef123")
    path = add_entry(board, run)
    assert not {"someone", "abcdef123"} & {word for word in ("someone", "abcdef123") if word in path.read_text()}
    entry = json.loads(path.read_text())
    assert (entry["run"], entry["engine"]) == ("token=[removed]", "hf engine token=[removed] cpu")
    assert find_problems(board, [run]) == []


def test_the_pages_rank_and_a_second_build_changes_nothing(board: Path) -> None:
    for model, hits in (("b", 2), ("a", 2), ("best", 4), ("worst", 0)):
        add_entry(board, entrant(model, hits))
    text = readme(board)
    found = [row[:4] for row in rows(text, "At budget 64")]
    assert found == [["1", "best", "a", "1"], ["2", "a", "b", "2 to 3"], ["2", "b", "b", "2 to 3"], ["4", "worst", "c", "4"]]
    assert "Tiny \\| board" in text
    assert "50.0 [" in text
    before = files(board)
    build_board(board)
    assert files(board) == before


def test_a_page_tells_domains_chance_and_unfinished_samples(board: Path) -> None:
    write_board(board, BOARD.replace("pocket_sort]", "pocket_sort, coin]"))
    run = entrant("m", tasks={"pocket_chain": "in_domain", "pocket_sort": "cross_domain", "coin": "cross_domain"})
    tasks = {**run.tasks, "coin": replace(run.tasks["coin"], chance=0.5)}
    gone = replace(run.records[0].grade, status=Status.UNFINISHED)
    records = tuple(
        replace(r, grade=gone) if (r.key.task, r.key.index, r.budget) == ("coin", 3, 64) else r for r in run.records
    )
    path = add_entry(board, replace(run, tasks=tasks, records=records))
    text = readme(board)
    heads = " ".join(text.split())
    assert "| In-domain avg@n | Cross-domain avg@n (chance 25.0) |" in heads
    assert "| pocket_chain (in-domain) | pocket_sort (cross-domain) | coin (cross-domain, chance 50.0) |" in heads
    assert " coin (cross-domain) |" in text  # of another metric, guessing has no such level
    assert "with equal weights: in-domain pocket_chain; cross-domain pocket_sort, coin." in text
    assert rows(text, "Change, tokens")[0][5:7] == ["0.0", "12.5"]
    assert "unfinished in-domain (%) | unfinished cross-domain (%)" in heads
    assert "note: up to 25.0 % of samples (coin at 64) are unfinished" in text
    tamper(path, lambda entry: entry["questions"]["coin"].pop("chance"))
    assert find_problems(board) == []  # entries of earlier versions do not tell it
    (problem,) = find_problems(board, [replace(run, tasks=tasks, records=records)])
    assert "its chance level of coin is not the run's" in problem
    tamper(path, lambda entry: entry["questions"]["coin"].update(chance=1.0))
    assert "chance is 1.0" in find_problems(board)[0]


def test_a_board_without_entries_is_rendered(board: Path) -> None:
    assert "rank" in readme(board)
    assert find_problems(board) == []


def test_a_change_is_shown_until_the_next_one_and_kept_in_the_history(board: Path) -> None:
    add_entry(board, entrant("m", 2))
    add_entry(board, entrant("other", 1))
    build_board(board)
    add_entry(board, entrant("m", 3))
    add_entry(board, entrant("late", 0))
    changed = {row[1]: row[2] for row in rows(readme(board), "Change, tokens")}
    assert changed == {"m": "+25.0", "other": "=", "late": "new"}
    (board / "entries" / "late.json").unlink()
    text = readme(board)
    assert "No longer on the board since the last build: late." in text
    assert readme(board) == text
    assert len((board / "history.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (entrant("m", tasks={"pocket_chain": "in_domain"}), "lacks task pocket_sort"),
        (entrant("m", budgets=(16,)), "lacks budget 64"),
        (entrant("m", n_samples=3), "has 3 samples per question, the board 'Tiny | board' needs 4"),
        (entrant("m", limit=10), "limit is 10, wanted null"),
        (entrant("m", grader="3"), "was graded by grader 3, wanted 4"),
        (replace(entrant("m"), grader_versions=("3", "4")), "are those of 3 and 4, wanted one"),
        (entrant("m", backend="fake"), "was drawn by the backend fake, which makes its answers up"),
    ],
)
def test_a_run_that_the_board_cannot_rank_is_refused(board: Path, run: StoredRun, message: str) -> None:
    with pytest.raises(InputError) as error:
        add_entry(board, run)
    assert message in str(error.value)
    assert not (board / "entries").exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("prompt.system_prompt", "Think.", "prompt.system_prompt is 'Think.', wanted null"),
        ("sampling.temperature", 0.5, "sampling.temperature is 0.5, wanted 1.0"),
        ("sampling.repetition_penalty", 1.1, "sampling.repetition_penalty is 1.1, wanted 1.0"),
        ("thinking.closing.before", "Stop.", "thinking.closing.before is 'Stop.', wanted ''"),
        ("max_total_tokens", 100, "max_total_tokens is 100, wanted null"),
        ("max_total_tokens", False, "max_total_tokens is false, wanted null"),
        ("max_total_tokens", ..., "max_total_tokens is not stored, wanted null"),
    ],
)
def test_each_pinned_key_is_named_with_what_was_met_and_wanted(board: Path, key: str, value: object, message: str) -> None:
    protocol = json.loads(json.dumps(PROTOCOL))
    *sections, last = key.split(".")
    place = protocol
    for section in sections:
        place = place[section]
    place.pop(last) if value is ... else place.update({last: value})
    with pytest.raises(InputError, match="under another protocol than the board") as error:
        add_entry(board, entrant("m", protocol=protocol))
    assert message in str(error.value)


def test_what_is_not_pinned_must_be_the_same_in_all_entries_unless_it_is_free(board: Path) -> None:
    add_entry(board, entrant("a"))
    template = {**PROTOCOL, "prompt": {**PROTOCOL["prompt"], "chat_template": "other"}, "end_of_turn": {"7": []}}
    add_entry(board, entrant("b", protocol=template))
    for protocol, told in (
        ({**PROTOCOL, "answer_tokens": 99}, "answer_tokens is 48 there and 99 here"),
        ({**PROTOCOL, "window": {"after": "2025"}}, "window.after is not stored there and '2025' here"),
    ):
        with pytest.raises(InputError, match=r"than .*a\.json") as error:
            add_entry(board, entrant("c", protocol=protocol))
        assert told in str(error.value)
    write_board(board, BOARD.replace('grader_version: "4"', "free: [model, prompt, end_of_turn, engine, answer_tokens]"))
    add_entry(board, entrant("c", protocol={**PROTOCOL, "answer_tokens": 99}))
    with pytest.raises(InputError, match=r"was graded by grader 3, and .*a\.json by 4"):
        add_entry(board, entrant("d", grader="3"))


def test_missing_samples_are_refused(board: Path) -> None:
    run = entrant("m")
    with pytest.raises(MetricError, match="lacks 1 of its"):
        add_entry(board, replace(run, records=run.records[1:]))


def test_a_grader_that_was_stopped_often_is_refused(board: Path) -> None:
    def outcome(task: str, row: int, index: int, budget: object) -> Status:
        return Status.TIMEOUT if row == 0 and index < 2 else Status.CORRECT

    run = entrant("m")
    stopped = tuple(
        replace(r, grade=replace(r.grade, status=outcome(r.key.task, int(r.key.question_id.split("-")[0]), r.key.index, 0)))
        for r in run.records
    )
    with pytest.raises(InputError, match=r"the grader was stopped on 2 of 120 samples of pocket_chain at 16"):
        add_entry(board, replace(run, records=stopped))


def test_more_than_the_board_asks_for_does_not_change_the_counts(board: Path) -> None:
    def counted(path: Path) -> object:
        entry = json.loads(path.read_text(encoding="utf-8"))
        return entry["counts"], entry["rows"], entry["questions"]

    exact = counted(add_entry(board, entrant("m", lambda row: row % 4)))
    tasks = {"pocket_chain": "in_domain", "pocket_sort": "cross_domain", "extra": "in_domain"}
    more = entrant("m", lambda row: row % 4, tasks=tasks, budgets=(16, 64, "unlimited"), n_samples=6)
    assert counted(add_entry(board, more)) == exact


def test_a_checkpoint_replaces_its_own_entry_but_no_other(board: Path) -> None:
    add_entry(board, entrant("m", hits=1))
    path = add_entry(board, entrant("m", hits=3))
    assert '"value": 0.75' in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    for run, told in (
        (entrant("m", hits=4, fingerprint="other"), "holds another checkpoint with the name 'm'"),
        (entrant("M2", hits=4, fingerprint="of m"), r"has the checkpoint of .*m\.json \(fingerprint of m\) under another name"),
        (entrant("m", hits=4, backend="vllm"), r"by the backend vllm, and the entry of this checkpoint in .*m\.json by hf"),
        (entrant("m", hits=4, synthetic={"pocket_sort": 3}), r"results that are synthetic, and would replace .*m\.json"),
        (entrant("m", hits=4, protocol={**PROTOCOL, "answer_tokens": 9}), "answer_tokens is 48 there and 9 here"),
    ):
        with pytest.raises(InputError, match=told):
            add_entry(board, run)
    assert path.read_bytes() == before


def test_made_up_answers_enter_only_where_the_rules_say_so_and_are_marked(board: Path) -> None:
    write_board(board, BOARD.replace("rules:", "rules:\n  backends: [fake, hf]"))
    path = add_entry(board, entrant("m", backend="fake"))
    text = readme(board)
    assert "| m (made up)<sup>1</sup>" in text
    assert "Mark 1: made up: the fake backend made these answers up" in text
    assert json.loads(path.read_text())["caveats"][0]["kind"] == "made_up"
    with pytest.raises(InputError, match="by the backend hf, and the entry of this checkpoint"):
        add_entry(board, entrant("m", hits=4))


def test_synthetic_questions_are_marked(board: Path) -> None:
    path = add_entry(board, entrant("m", synthetic={"pocket_sort": 3}))
    text = readme(board)
    assert "m (synthetic)<sup>1</sup>" in text
    assert "3 of 30 questions of pocket_sort are synthetic, so this is no score on that benchmark" in text
    tamper(path, lambda entry: entry.update(caveats=[]))
    assert "lacks the caveat synthetic" in "".join(find_problems(board))


def imported(model: str, temperature: float | None = None, **settings: Any) -> StoredRun:
    about = {"harness": "lm_eval", "version": "0.4.13", "hides_thinking": "", "left_out": {}, "n_sealed": 0, "n_open": 2}
    run = entrant(model, backend="imported", **settings)
    sampling = {"temperature": 1.0, "repetition_penalty": None}  # None: the log does not tell
    told = {"version": "lm_eval x", "sampling": {"temperature": temperature}}
    protocol = {"imported": about, "sampling": sampling, "tasks": {"pocket_chain": told}}
    return replace(run, manifest={**run.manifest, "protocol": protocol, "imported": about})


def test_imported_runs_enter_only_where_the_rules_say_so_and_are_marked(board: Path) -> None:
    add_entry(board, entrant("ours"))
    with pytest.raises(InputError, match="was imported from another harness's log"):
        add_entry(board, imported("m"))
    write_board(board, BOARD.replace("rules:", "rules:\n  imported: true\n  backends: [hf]"))
    with pytest.raises(InputError, match=r"tasks\.pocket_chain\.sampling\.temperature is 0\.2, wanted 1\.0"):
        add_entry(board, imported("m", temperature=0.2))
    path = add_entry(board, imported("m", hits=1))
    text = readme(board)
    assert "m (imported)<sup>1,2,3</sup>" in text
    told = "imported from lm_eval 0.4.13, graded by raml_eval (grader 4); its log does not tell"
    assert f"{told} prompt.system_prompt, sampling.repetition_penalty, " in text
    assert "note: 2 completions that neither open nor end their thinking count as unfinished" in text
    tamper(path, lambda entry: entry.update(caveats=[]))
    assert "lacks the caveat imported" in "".join(find_problems(board))
    with pytest.raises(InputError, match="by the backend imported"):
        add_entry(board, replace(imported("ours"), model="ours"))


def test_entries_on_other_questions_are_refused(board: Path) -> None:
    add_entry(board, entrant("m"))
    with pytest.raises(InputError, match=r"has other questions than .*m\.json in pocket_chain, pocket_sort"):
        add_entry(board, entrant("n", content="bbbbbb"))


def unasked(run: StoredRun) -> StoredRun:
    """The run's model was taken for one that does not think, and one of its answers holds an end of thinking."""
    protocol = {**run.manifest["protocol"], "prompt": {**PROTOCOL["prompt"], "format": {"name": "none", "closer": ""}}}
    first = replace(run.records[0], leak=True)
    return replace(run, manifest={**run.manifest, "protocol": protocol}, records=(first, *run.records[1:]))


def unpaired(run: StoredRun) -> StoredRun:
    """The thinking of one sample was drawn twice, and came out differently."""
    first = run.records[0]
    records = tuple(replace(r, trajectory="longer") if r.key == first.key and r.budget == 64 else r for r in run.records)
    again = replace(run.trajectories[first.trajectory or ""], limit=128, token_ids=(9, *range(59)))
    return replace(run, records=records, trajectories={**run.trajectories, "longer": again})


def restored(run: StoredRun) -> StoredRun:
    return replace(run, manifest={**run.manifest, "restored": {"harness": "Inspect", "version": None, "files": {}}})


MARKED: dict[str, tuple[StoredRun, str]] = {
    "engine": (entrant("m", engine={"reproducible": False}), "the engine (hf) does not reproduce seeded draws"),
    "unasked": (unasked(entrant("m")), "thinking was graded as the answer"),
    "unpaired": (unpaired(entrant("m")), "the budgets of 1 of 240 samples are not cuts of one trajectory"),
    "restored": (restored(entrant("m")), "made again from an exported log, which anybody may have changed"),
    "inexact": (entrant("m", engine={"ids_exact": False}), "the server returned texts, not tokens"),
}


@pytest.mark.parametrize("sort", MARKED)
def test_an_entry_notes_what_a_report_of_its_run_does_and_takes_no_place_of_one_without(board: Path, sort: str) -> None:
    run, told = MARKED[sort]
    path = add_entry(board, run)
    (note,) = json.loads(path.read_text())["caveats"]
    assert (note["kind"], note["sort"]) == ("note", sort)
    assert told in note["text"]
    assert note["text"] in footnotes([run], build_frame([run]))
    assert f"Mark 1: note: {note['text']}" in readme(board)
    add_entry(board, run)  # the same caveat is no new one
    path.unlink()
    add_entry(board, entrant("m"))
    before = path.read_bytes()
    plain = {**run.manifest, "protocol": entrant("m").manifest["protocol"]}
    run = run if sort == "unasked" else replace(run, manifest=plain)
    with pytest.raises(InputError, match=r"has a caveat that .*m\.json has not, and would replace it: .*--replace"):
        add_entry(board, run)
    assert path.read_bytes() == before
    add_entry(board, run, replace=True)
    assert told in path.read_text()
    add_entry(board, entrant("m"))  # without the caveat again
    assert path.read_bytes() == before


def set_rows(**values: object) -> Callable[[dict[str, Any]], object]:
    return lambda entry: entry["rows"][0].update(values)


def shrink_clusters(entry: dict[str, Any]) -> None:
    entry["questions"]["pocket_chain"]["clusters"].pop()


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "500 %": (
        set_rows(value=5.0),
        "the value of avg@n of pocket_chain (in_domain) at 16 is 5, but 0.5 follows from its counts",
    ),
    "a little more": (set_rows(value=0.5001), "the value of avg@n of pocket_chain (in_domain) at 16 is 0.5001, but 0.5"),
    "a shorter interval": (set_rows(low=0.49), "the low of avg@n of pocket_chain (in_domain) at 16 is 0.49"),
    "no value": (set_rows(value=None), "is none, but 0.5 follows"),
    "another metric": (set_rows(metric="pass@k", k=3), "nothing gives|lacks|is"),
    "a text for a number": (set_rows(value="0.5"), "rows.0.value is '0.5', wanted a number"),
    "a number twice": (
        lambda e: e["rows"].append(e["rows"][0]),
        "avg@n of pocket_chain (in_domain) at 16, which is there twice",
    ),
    "a number fewer": (lambda e: e["rows"].pop(), "lacks"),
    "other n_questions": (set_rows(n_questions=3000), "covers 3000 questions, but the counts are of 30"),
    "k above n": (set_rows(k=9), "k = 9 from n = 4"),
    "another count": (lambda e: e["counts"][0]["correct"].__setitem__(0, 3), "do not|follows from its counts"),
    "c above n": (lambda e: e["counts"][0]["correct"].__setitem__(0, 9), "has 9 correct and 0 other samples of n = 4"),
    "other n": (lambda e: e["counts"][0]["n"].__setitem__(0, 400), "has n = 400, wanted 4"),
    "votes": (lambda e: e["counts"][0]["classes"].__setitem__(0, [[4, 4]]), "has votes [[4, 4]], which do not fit 2 correct"),
    "forced": (lambda e: e["counts"][0]["forced"].__setitem__(0, 5), "has 5 forced samples of n = 4"),
    "a count fewer": (lambda e: e["counts"][0]["n"].pop(), "n of pocket_chain at 16 has 29 numbers, wanted 30"),
    "counts fewer": (lambda e: e["counts"].pop(), "has not one set of counts for each of its tasks"),
    "a cluster fewer": (shrink_clusters, "the questions of pocket_chain have not one id, cluster and group each"),
    "a negative count": (lambda e: e["counts"][0]["correct"].__setitem__(0, -1), "counts.0.correct.0 is -1, wanted 0 or more"),
    "no counts": (lambda e: e.pop("counts"), "counts is missing"),
    "a new key": (lambda e: e.update(extra=1), "unknown key 'extra'. Keys: schema_version, kind"),
    "another grader": (lambda e: e.update(grader_version="3"), "was graded by grader 3, wanted 4"),
    "another backend": (lambda e: e.update(backend="vllm"), "names the backend vllm, and its protocol hf"),
    "another engine": (
        lambda e: e.update(engine="fake 0 float32 cpu"),
        "has the engine 'fake 0 float32 cpu', and its origin has",
    ),
    "another origin": (lambda e: e["origin"]["engine"].update(name="fake"), "has the backend 'hf', and its origin has 'fake'"),
    "no origin of the engine": (lambda e: e["origin"].pop("engine"), "has the backend 'hf', and its origin has 'None'"),
    "samples that were stopped": (
        lambda e: e["counts"][0].update(timeout=[2] * 15 + [0] * 15, classes=[[]] * 30),
        "the grader was stopped on 30 of 120 samples of pocket_chain at 16 in ",
    ),
    "thinking beyond the budget": (
        lambda e: e["counts"][0]["thinking_tokens"].__setitem__(0, 4000),
        "at 16 has thinking_tokens 4,000, wanted at most 64: 16 for each of n = 4",
    ),
    "an answer beyond its allowance": (
        lambda e: e["counts"][0]["answer_tokens"].__setitem__(0, 193),
        "at 16 has answer_tokens 193, wanted at most 192: 48 for each of n = 4",
    ),
    "fake": (lambda e: e.update(backend="fake"), "was drawn by the backend fake"),
    "a pinned key": (lambda e: e["protocol"]["sampling"].update(temperature=0.1), "sampling.temperature is 0.1, wanted 1.0"),
    "another key": (lambda e: e["protocol"].update(answer_tokens=1), "has a protocol whose digest is not that of its run"),
    "n_samples": (lambda e: e.update(n_samples=8), "samples is 8, wanted 4"),
    "limit": (lambda e: e.update(limit=3), "limit is 3, wanted null"),
    "a missing section": (lambda e: e["protocol"].pop("sampling"), "sampling.temperature is not stored, wanted 1.0"),
    "a section that is a text": (lambda e: e["protocol"].update(sampling="x"), "sampling.temperature is not stored"),
    "another task": (
        lambda e: (
            [e["questions"].update(x=e["questions"].pop("pocket_sort"))]
            + [of.update(task="x") for of in e["counts"] if of["task"] == "pocket_sort"]
        ),
        "has the tasks pocket_chain, x, wanted pocket_chain, pocket_sort",
    ),
    "another name": (lambda e: e.update(model="n"), "holds the entry of 'n', which belongs into n.json"),
    "an old schema": (lambda e: e.update(schema_version=1), "has schema_version 1, wanted 2. Older entries hold no counts"),
    "another schema": (lambda e: e.update(schema_version=99), "has schema_version 99, wanted 2"),
    "another kind": (lambda e: e.update(kind="guess"), "kind"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_tampered_entry_is_refused_in_one_line(board: Path, name: str) -> None:
    change, told = FAULTS[name]
    path = add_entry(board, entrant("m"))
    tamper(path, change)
    (problem,) = find_problems(board)
    assert any(part in problem for part in told.split("|")), problem
    assert str(path) in problem
    assert "\n" not in problem
    with pytest.raises(InputError, match=r"m\.json"):
        build_board(board)
    assert not (board / "README.md").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read"),
        ("[]", "has no schema_version"),
        ('{"schema_version": 2}', "has no kind, wanted run or published"),
        ('{"schema_version": true}', "has schema_version true"),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ("[" * 100_000, "cannot be read"),
        ('{"a": 1e999}', "1e999 is no number of JSON"),
    ],
)
def test_a_broken_file_is_one_line(board: Path, text: str, told: str) -> None:
    path = add_entry(board, entrant("m"))
    path.write_text(text, encoding="utf-8")
    (problem,) = find_problems(board)
    assert told in problem
    assert "\n" not in problem


def test_a_change_without_a_new_digest_is_told_before_anything_else(board: Path) -> None:
    path = add_entry(board, entrant("m"))
    tamper(path, set_rows(value=5.0), sealed=False)
    (problem,) = find_problems(board)
    assert "was changed after it was written: its digest is" in problem
    path.write_text(path.read_text().replace('"value": 5.0', '"value": NaN'))
    assert "NaN is no number of JSON" in find_problems(board)[0]


def test_one_model_twice_is_refused(board: Path) -> None:
    path = add_entry(board, entrant("m"))
    twin = path.with_name("other.json")
    shutil.copy(path, twin)
    assert "other.json holds the entry of 'm', which belongs into m.json" in find_problems(board)[0]
    tamper(twin, lambda entry: entry.update(model="other"))
    assert "has the checkpoint of" in find_problems(board)[0]
    tamper(twin, lambda entry: entry["checkpoint"].update(fingerprint="another"))
    assert find_problems(board) == []


def test_entries_that_disagree_are_refused(board: Path) -> None:
    add_entry(board, entrant("a"))
    second = board / "entries" / "b.json"
    for run, told in (
        (entrant("b", protocol={**PROTOCOL, "answer_tokens": 99}), "answer_tokens is 48 there and 99 here"),
        (entrant("b", content="bbbbbb"), "has other questions than"),
    ):
        other = write_board(board.parent / told[:5])
        shutil.copy(add_entry(other, run), second)
        (problem,) = find_problems(board)
        assert told in problem
        assert "b.json" in problem
        assert "a.json" in problem


def test_check_with_a_run_finds_what_only_the_run_tells(board: Path) -> None:
    run = entrant("m", lambda row: row % 4)
    path = add_entry(board, run)
    assert find_problems(board, [run]) == []
    assert not_rebuilt(board, [run]) == []
    assert not_rebuilt(board, []) == ["m"]
    better = write_board(board.parent / "better")
    shutil.copy(add_entry(better, entrant("m", lambda row: min(4, row % 4 + 1))), path)
    assert find_problems(board) == []  # consistent, and not what was drawn
    (problem,) = find_problems(board, [run])
    assert "m.json is not what run of m gives: correct of pocket_chain/0-aaaaaa at 16 is 1, and 0 in the run" in problem
    assert find_problems(board, [entrant("new"), run]) == find_problems(board, [run])  # it was never entered
    (problem,) = find_problems(board, [entrant("m", backend="vllm")])
    assert "backend is 'hf', and 'vllm' in the run" in problem


def test_published_numbers_are_quoted_and_not_ranked(board: Path, tmp_path: Path) -> None:
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps(QUOTED))
    path = add_published(board, file)
    add_entry(board, entrant("ours"))
    text = readme(board)
    assert "theirs" not in text.split("**At budget 64")[1].split("**pass@4")[0].split("**avg@n")[0]
    found = rows(text, "pass@4 by task at budget 64")
    assert [row[:2] for row in found] == [["1", "ours"], ["published, not rerun", "theirs<sup>1</sup>"]]
    assert found[1][2:] == ["20.30", "n/a"]
    assert "published, not rerun: A paper, table 1, https://example.org/paper. No n." in text
    with pytest.raises(InputError, match="holds published numbers with the name 'theirs'"):
        add_entry(board, entrant("theirs"))
    tamper(path, lambda entry: entry["numbers"][0].update(percent="50"), sealed=False)
    assert "was changed after it was written" in find_problems(board)[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "run"}, "is no published entry"),
        (
            {"numbers": [{"task": "pocket_chain", "metric": "pass@4", "percent": "127"}]},
            "is '127', wanted a share from \"0\" to",
        ),
        ({"source": {"title": "A paper", "url": "example.org", "place": "t"}}, "wanted an address that begins with https://"),
        ({"model": "half \ud800"}, "wanted a text without halves of characters"),
        ({"numbers": [{"task": "pocket_chain", "metric": "pass@4", "percent": 5.0}]}, "numbers.0.percent"),
        ({"numbers": [{"task": "gsm8k", "metric": "pass@4", "percent": "5"}]}, "gives pass@4 of gsm8k; the board"),
        ({"numbers": QUOTED["numbers"] * 2}, "gives pass@4 of pocket_chain for the second time"),  # type: ignore[operator]
        ({"source": {"title": "A paper", "url": "javascript:alert(1)", "place": "t"}}, "source.url"),
        ({"numbers": []}, "numbers"),
        ({"counts": []}, "unknown key 'counts'. Keys: schema_version, kind, model, source"),
    ],
)
def test_a_published_entry_that_is_wrong_is_refused(board: Path, tmp_path: Path, change: dict[str, Any], told: str) -> None:
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({**QUOTED, **change}))
    with pytest.raises(InputError) as error:
        add_published(board, file)
    assert told in str(error.value)
    assert "Correct it" in str(error.value) or "is added by its directory" in str(error.value)
    assert "add its run" not in str(error.value)  # it has none
    assert not list(board.glob("entries/*"))


def test_a_broken_file_of_published_numbers_is_to_be_corrected(board: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs.json").write_text("{")
    with pytest.raises(InputError, match=r"theirs\.json cannot be read: .*Correct it there, and add it again\.$"):
        add_published(board, tmp_path / "theirs.json")


def test_published_numbers_do_not_take_the_place_of_a_run(board: Path, tmp_path: Path) -> None:
    add_entry(board, entrant("theirs"))
    (tmp_path / "theirs.json").write_text(json.dumps(QUOTED))
    with pytest.raises(InputError, match="holds the counts of a run with the name 'theirs'"):
        add_published(board, tmp_path / "theirs.json")
    add_published(board, tmp_path / "theirs.json", replace=True)
    add_published(board, tmp_path / "theirs.json")  # published numbers may be corrected


def test_names_that_the_board_has_wrong_are_told_with_those_that_resemble(board: Path) -> None:
    add_entry(board, entrant("m"))
    write_board(board, BOARD.replace("pocket_sort]", "pocket_srt]"))
    (problem,) = find_problems(board)
    assert "wanted pocket_chain, pocket_srt. Did you mean pocket_sort" in problem
    assert "Correct tasks in board.yaml, or delete the entry" in problem
    assert "'pocket_srt', which does not ship. Did you mean pocket_sort" in unknown_tasks(board)[0]
    with pytest.raises(InputError, match=r"lacks task pocket_srt.* Did you mean pocket_sort"):
        add_entry(board, entrant("n"))
    write_board(board, BOARD.replace("{temperature: 1.0,", "{temprature: 1.0,"))
    (problem,) = find_problems(board)
    assert "sampling.temprature is not stored, wanted 1.0, but there is sampling.temperature" in problem
    write_board(board)
    assert unknown_tasks(board) == []


def test_a_metric_may_be_written_as_in_the_board(board: Path, tmp_path: Path) -> None:
    write_board(board, BOARD.replace("g_pass@4:0.5", "g_pass@4:1.0"))
    file = tmp_path / "theirs.json"
    file.write_text(json.dumps({**QUOTED, "numbers": [{"task": "pocket_sort", "metric": "g_pass@4:1.0", "percent": "7.00"}]}))
    add_published(board, file)
    assert rows(readme(board), "G-Pass@4 τ=1 by task")[0][2:] == ["n/a", "7.00"]


def test_model_names_are_data(board: Path) -> None:
    hostile = "<script>alert(1)</script>|`x`\x1b[31m\u202e=1+1"
    add_entry(board, entrant(hostile))
    readme, page = (path.read_text(encoding="utf-8") for path in build_board(board))
    for text in (readme, page):
        assert "<script" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "&lt;script&gt;alert(1)" in page


def test_a_problem_is_one_harmless_line(board: Path) -> None:
    path = add_entry(board, entrant("m"))

    def change(entry: dict[str, Any]) -> None:
        entry["questions"]["pocket_chain"]["ids"][0] = "\x1b[31m\nerror: all is well"
        entry["counts"][0]["n"][0] = 9

    tamper(path, change)
    (problem,) = find_problems(board)
    assert "[31m error: all is well at 16 has n = 9, wanted 4" in problem
    assert problem.isprintable()


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_board_is_sound_and_its_pages_are_those_of_its_entries(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert find_problems(copy) == []
    build_board(copy)
    assert files(copy) == files(folder)


def test_the_pocket_board_pins_or_frees_every_key_of_its_entry() -> None:
    from raml_eval.manifest import flatten
    from raml_eval.reporting.boards.board import read_board

    folder = ROOT / "leaderboards" / "pocket"
    board = read_board(folder)
    told = flatten(json.loads((folder / "entries" / "pocket.json").read_text())["protocol"])
    pins = board.rules.pins()
    loose = [key for key in told if key not in pins and not board.rules.is_free(key) and not key.startswith("tasks.")]
    assert loose == []
    assert {"prompt.system_prompt", "thinking.closing.before", "sampling.repetition_penalty", "max_total_tokens"} <= set(pins)


def test_the_published_figures_of_the_paper_are_quoted() -> None:
    """Tables 2 and 3 of arXiv:2505.19815, copied again by hand: Pass@8 and mG-Pass@8 of the three sets."""
    found = {}
    for path in (ROOT / "leaderboards" / "raml" / "entries").glob("*.json"):
        entry = json.loads(path.read_text())
        assert (entry["kind"], entry["source"]["url"]) == ("published", "https://arxiv.org/abs/2505.19815")
        found[entry["model"].removeprefix("Qwen2.5-7B ")] = " ".join(number["percent"] for number in entry["numbers"])
    assert found == {
        "SFT (Qwen2.5-Math trajectories)": "20.34 7.43 58.42 35.65 26.77 7.43",
        "SFT (R1-Distill-Qwen-14B trajectories)": "36.69 10.29 82.98 45.79 25.15 10.46",
        "Zero-GRPO": "27.37 4.08 71.66 30.48 27.48 8.21",
        "SFT cold start + GRPO": "35.87 11.23 82.42 44.92 42.17 18.84",
    }


def test_a_fake_run_does_not_take_the_place_of_the_shipped_entry(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(ROOT / "leaderboards" / "pocket", tmp_path / "board"))
    before = files(copy)
    out = tmp_path / "pocket"
    done = cli("run", "pocket", "--backend", "fake", "--quiet", "--out", out)
    assert done.returncode == 0, done.stderr
    fails(cli("leaderboard", "add", copy, out), "drawn by the backend fake, wanted hf or vllm", "Run again with --backend hf")
    text = (copy / "board.yaml").read_text().replace("[hf, vllm]", "[hf, fake]")
    (copy / "board.yaml").write_text(text)
    fails(cli("leaderboard", "add", copy, out), "by the backend fake, and the entry of this checkpoint", "--replace")
    done = cli("leaderboard", "check", copy, "--runs", tmp_path)
    assert done.returncode == 2
    assert "backend is 'hf', and 'fake' in the run" in done.stderr
    (copy / "board.yaml").write_bytes(before["board.yaml"])
    assert files(copy) == before


def test_the_commands(tmp_path: Path) -> None:
    out, board = tmp_path / "run", write_board(tmp_path / "board", COMMANDS_BOARD)
    assert cli(*FAKE, "--out", out).returncode == 0
    done = cli("leaderboard", "add", board, out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [str(board / "README.md"), str(board / "index.html")]
    done = cli("leaderboard", "check", board, "--runs", out)
    assert (done.returncode, done.stdout) == (0, f"{board}: 1 entry, 1 run rebuilt, no problems\n"), done.stderr
    quoted = {**QUOTED, "numbers": [{"task": "pocket_chain", "metric": "avg@n", "percent": "1"}]}
    (tmp_path / "q.json").write_text(json.dumps(quoted))
    assert cli("leaderboard", "add", board, tmp_path / "q.json").returncode == 0
    (board / "entries" / "theirs.json").write_text("{")
    done = cli("leaderboard", "check", board)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    fails(cli("leaderboard", "build", board), "theirs.json cannot be read")


COMMANDS_BOARD = """
title: Fake
description: ""
tasks: [pocket_chain]
budgets: [0, unlimited]
samples: 2
limit: 3
rank_by: {budget: unlimited}
rules: {backends: [fake]}
"""


def test_a_folder_without_a_board_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Name a folder with a board\.yaml"):
        build_board(tmp_path)


def test_greedy_draws_are_ranked_by_their_average_only(board: Path) -> None:
    protocol = {**PROTOCOL, "sampling": {"temperature": 0, "repetition_penalty": 1.0}}
    text = BOARD.replace("temperature: 1.0", "temperature: 0")
    write_board(board, text)
    run = entrant("m", temperature=0, protocol=protocol)
    add_entry(board, run)
    assert rows(readme(board), "pass@4 by task")[0][2:] == ["n/a", "n/a"]
    write_board(board, text.replace("{budget: 64}", "{budget: 64, metric: pass@4}"))
    with pytest.raises(InputError, match="has no pass@4 over the in_domain tasks at budget 64"):
        build_board(board)


def test_every_part_of_a_run_counts(board: Path) -> None:
    """A board whose n is the run's own takes all samples: the values are those of the samples spelled out."""
    run = entrant("m", lambda row: row % 5)
    path = add_entry(board, run)
    values = {
        (row["metric"], row["k"], row["tau"]): row["value"]
        for row in json.loads(path.read_text())["rows"]
        if (row["task"], row["budget"]) == ("pocket_chain", "64")
    }
    assert values["avg@n", None, None] == pytest.approx(0.5)
    assert values["pass@k", 4, None] == pytest.approx(24 / 30)
    assert values["g_pass@k", 4, 0.5] == pytest.approx(18 / 30)
    assert values["g_pass@k", 4, 1.0] == pytest.approx(6 / 30)
