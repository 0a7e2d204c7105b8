"""`raml-eval diagnose` as a user types it, and its page in the documentation."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import typer

from raml_eval.cli import diagnosing
from raml_eval.cli.diagnosing import app
from raml_eval.diagnostics.measures import COLUMNS
from raml_eval.diagnostics.statistics import NOT_SUMMARISED, diagnose_statistics
from raml_eval.errors import ConfigError, GaveUp
from tests.backend_bench import POCKET
from tests.test_cli import cli, fails

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "diagnostics.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the fake backend with a sweep and off."""
    out = tmp_path_factory.mktemp("runs") / "swept"
    done = cli(
        *("run", "--model", "pocket", "--backend", "fake", "--tasks", "pocket", "--limit", "4", "--samples", "3", "--quiet"),
        *("--thinking-budget", "off,0,8,16", "--answer-tokens", "48", "--seed", "0", "--out", out),
    )
    assert done.returncode == 0, done.stderr
    return out


def test_a_sweep_is_diagnosed_and_reported(swept: Path, tmp_path: Path) -> None:
    done = cli("diagnose", "statistics", swept)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Statistics of thinking\n====")
    assert done.stdout.splitlines()[-1] == str(swept / "diagnostics" / "statistics")
    subjects = pd.read_parquet(swept / "diagnostics" / "statistics" / "subjects.parquet")
    tasks = json.loads((swept / "manifest.json").read_text())["tasks"]
    assert len(subjects) == 3 * sum(len(entry["questions"]) for entry in tasks.values())  # off is no thinking
    assert set(subjects["budget"]) == {"16"}
    assert subjects["answer_changes"].notna().all()
    page = tmp_path / "page.html"
    assert cli("report", swept, "--out", page).returncode == 0
    assert "Statistics of thinking" in page.read_text()
    assert "Statistics of thinking" in cli("report", swept).stdout


def test_more_samples_make_it_old(swept: Path, tmp_path: Path) -> None:
    lines = (swept / "samples.jsonl").read_text().splitlines()
    older = tmp_path / "older"
    older.mkdir()
    for path in swept.iterdir():
        if path.is_file():
            (older / path.name).write_bytes(path.read_bytes())
    (older / "samples.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    assert cli("diagnose", "statistics", older).returncode == 0
    (older / "samples.jsonl").write_text("\n".join(lines) + "\n")
    text = cli("report", older, "--format", "markdown").stdout
    assert "the diagnosis statistics is left out: it is of" in text
    assert "## Statistics of thinking" not in text
    assert cli("diagnose", "statistics", older).returncode == 0
    assert "## Statistics of thinking" in cli("report", older, "--format", "markdown").stdout


def test_one_task_into_another_folder(swept: Path, tmp_path: Path) -> None:
    done = cli("diagnose", "statistics", swept, "--out", tmp_path / "out", "--task", "pocket_chain")
    assert done.returncode == 0, done.stderr
    assert set(pd.read_parquet(tmp_path / "out" / "statistics" / "subjects.parquet")["task"]) == {"pocket_chain"}


def test_wrong_words_are_one_line(swept: Path, tmp_path: Path) -> None:
    fails(cli("diagnose", "statistics", tmp_path), "not a run directory")
    fails(cli("diagnose", "statistics", swept, "--task", "pocket_chian"), "pocket_chain")
    (tmp_path / "file").write_text("")
    fails(cli("diagnose", "statistics", swept, "--out", tmp_path / "file"), "cannot be made")


@pytest.mark.parametrize("words", [["statistics"], ["pseudo-gradient"], ["token-roles"], ["pruning", "--by", "no-repeats"],
                                   ["landscape"], ["all"]])  # fmt: skip
def test_no_run_is_told_as_by_a_report(tmp_path: Path, words: list[str]) -> None:
    kind, *options = words
    fails(cli("diagnose", kind, tmp_path / "nope", *options), "nope is not a run directory: it has no manifest.json")
    assert not (tmp_path / "nope").exists()


def test_the_page_names_every_option_and_file(swept: Path) -> None:
    command = typer.main.get_command(app).commands["statistics"]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")} - {"--help"}
    assert [option for option in options if not re.search(rf"{option}\b", PAGE)] == []
    cli("diagnose", "statistics", swept)
    names = {path.stem for path in (swept / "diagnostics" / "statistics").iterdir()}
    assert [name for name in names if f"`{name}" not in PAGE] == []
    assert set(COLUMNS) > NOT_SUMMARISED


def test_the_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([\w-]+\.md)\)", PAGE):
        assert (DOCS / target).exists(), target


@pytest.mark.slow
def test_all_are_made_in_turn_and_stand_in_the_report(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the landscape moves weights (pip install 'raml-eval[hf]')")
    run = tmp_path / "run"
    words = ("--limit", "2", "--samples", "2", "--thinking-budget", "off,0,unlimited", "--answer-tokens", "24", "--quiet")
    done = cli("run", "--model", "pocket", "--backend", "hf", "--tasks", "pocket_chain,pocket_sort", *words, "--out", run)
    assert done.returncode == 0, done.stderr
    done = cli("diagnose", "all", run, "--quiet")
    assert done.returncode == 0, done.stderr
    kinds = ["statistics", "pseudo-gradient", "token-roles", "pruning", "landscape"]
    abouts = [json.loads((run / "diagnostics" / kind / "diagnosis.json").read_text()) for kind in kinds]
    assert all(about["complete"] for about in abouts)
    text = cli("report", run, "--format", "markdown").stdout
    titles = [json.loads((run / "diagnostics" / kind / "section.json").read_text())["title"] for kind in kinds]
    assert [text.count(f"\n## {title}") for title in titles] == [1] * 5


WRONG_OPTIONS = [
    (["--by", "odd"], "--by 'odd' is not a rule; wanted first:K"),
    (["--by", "summary"], "--by summary needs a model of its own"),
    (["--task", "pocket_chian"], "Did you mean pocket_chain"),
    (["--backend", "hfff"], "backend 'hfff' does not exist"),
    (["--backend-arg", "odd"], "--backend-arg 'odd' is not an assignment"),
    (["--backend", "hf", "--backend-arg", "odd=1"], "the hf backend has no argument 'odd'"),
    (["--model", "./nowhere"], "model ./nowhere does not exist"),
]


@pytest.mark.parametrize(("words", "told"), WRONG_OPTIONS, ids=lambda one: "-".join(one) if isinstance(one, list) else "")
def test_every_option_is_checked_before_the_first_begins(swept: Path, tmp_path: Path, words: list[str], told: str) -> None:
    fails(cli("diagnose", "all", swept, *words, "--out", tmp_path / "out"), told)
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_told_before_the_first_begins(swept: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fails(cli("diagnose", "all", swept, "--out", tmp_path / "file"), "cannot write", "Choose a writable --out")


def test_a_model_that_has_moved_is_told_before_the_first_begins(tmp_path: Path) -> None:
    shutil.copytree(POCKET, tmp_path / "model")
    words = ("--backend", "fake", "--tasks", "pocket_chain", "--limit", "2", "--samples", "1", "--quiet", "--seed", "0")
    run = tmp_path / "run"
    done = cli("run", "--model", tmp_path / "model", *words, "--thinking-budget", "16", "--answer-tokens", "8", "--out", run)
    assert done.returncode == 0, done.stderr
    (tmp_path / "model").rename(tmp_path / "moved")
    told = (f"cannot be loaded from {tmp_path / 'model'}", "pass --model NEW_PLACE")
    fails(cli("diagnose", "all", run), *told)
    assert not (run / "diagnostics").exists()
    fails(cli("diagnose", "pruning", run, "--by", "no-repeats"), *told)
    fails(cli("diagnose", "landscape", run), *told)
    assert cli("diagnose", "statistics", run).returncode == 0  # it needs no model
    done = cli("diagnose", "pruning", run, "--by", "no-repeats", "--model", tmp_path / "moved", "--quiet")
    assert "no thinking that can be shortened" in done.stderr  # the model is found, and every thinking was cut


def stub(kind: str, does: Callable[[], None]) -> Callable[..., None]:
    return lambda run, *args, **more: does()


def ends(monkeypatch: pytest.MonkeyPatch, run: Path, out: Path, **does: Callable[[], None]) -> int:
    """The exit code of `diagnose all`, whose diagnoses do this, and nothing if none is given; statistics are real."""
    for name in ("pseudo_gradient", "token_roles", "pruning", "landscape"):
        monkeypatch.setattr(diagnosing, name, stub(name, does.get(name, lambda: None)))
    try:
        diagnosing.diagnose_all(run, out=out)
    except typer.Exit as leaving:
        return int(leaving.exit_code)
    return 0


def fail(error: Exception) -> Callable[[], None]:
    def does() -> None:
        raise error

    return does


def test_the_last_lines_say_how_each_ended(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(monkeypatch, swept, tmp_path) == 0
    kinds = ["statistics", "pseudo-gradient", "token-roles", "pruning", "landscape"]
    assert capsys.readouterr().out.splitlines()[-5:] == [f"{kind}: made in {tmp_path / kind}" for kind in kinds]
    refused = fail(ConfigError("it cannot be. Do this."))
    assert ends(monkeypatch, swept, tmp_path, token_roles=refused) == 2
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-3] == "token-roles: left out: it cannot be. Do this."
    assert shown.err == "error: token-roles is left out: it cannot be. Do this.\n"
    for owed in (fail(typer.Exit(4)), fail(GaveUp("50 requests in a row failed."))):
        assert ends(monkeypatch, swept, tmp_path, pruning=owed) == 4
        assert capsys.readouterr().out.splitlines()[-1] == f"landscape: made in {tmp_path / 'landscape'}"
    assert ends(monkeypatch, swept, tmp_path, pruning=fail(typer.Exit(4)), landscape=refused) == 2


def test_what_is_up_to_date_is_not_shown_again(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(monkeypatch, swept, tmp_path) == 0
    assert "Statistics of thinking" in capsys.readouterr().out
    assert ends(monkeypatch, swept, tmp_path) == 0
    again = capsys.readouterr().out.splitlines()
    assert again[0] == f"statistics: up to date in {tmp_path / 'statistics'}"
    assert len(again) == 5
    place = tmp_path / "statistics" / "diagnosis.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"complete": False}))
    assert ends(monkeypatch, swept, tmp_path) == 0
    shown = capsys.readouterr().out
    assert "Statistics of thinking" in shown
    assert f"statistics: made in {tmp_path / 'statistics'}" in shown


@pytest.mark.parametrize("name", ["section.json", "lengths.parquet", "subjects.parquet"])
def test_changed_tables_are_shown_again(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """As after a change of the program, or with a tokenizer that was not at hand before; diagnosis.json stays as it is."""
    assert ends(monkeypatch, swept, tmp_path) == 0
    with (tmp_path / "statistics" / name).open("r+b") as file:
        file.write(b"?")  # of the same size
    capsys.readouterr()
    assert ends(monkeypatch, swept, tmp_path) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Statistics of thinking")
    assert f"statistics: made in {tmp_path / 'statistics'}" in shown


def test_all_passes_the_model_to_statistics_unless_the_run_was_imported(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr(diagnosing, "statistics", lambda run, out, task, limit, model: given.append(model))
    for name in ("pseudo_gradient", "token_roles", "pruning", "landscape"):
        monkeypatch.setattr(diagnosing, name, stub(name, lambda: None))
    diagnosing.diagnose_all(swept, out=tmp_path, model=str(POCKET))
    monkeypatch.setattr(diagnosing, "_check_options", lambda *words: "")
    diagnosing.diagnose_all(swept, out=tmp_path, model=str(POCKET))
    assert given == [str(POCKET), None]


def test_a_smaller_choice_says_what_else_was_computed(swept: Path, tmp_path: Path) -> None:
    words = ("diagnose", "pseudo-gradient", swept, "--out", tmp_path, "--quiet")
    assert "The journal has" not in cli(*words).stdout
    told = " ".join(cli(*words, "--limit", "1", "--samples", "1").stdout.split())
    assert "The journal has values of 48 samples, and the last command asked for 4 of them, so the tables" in told
    assert "The journal has" not in cli(*words).stdout


def test_one_that_was_made_under_other_settings_is_kept_if_it_is_of_the_same_samples(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    diagnose_statistics(swept, tmp_path, ["pocket_chain"])
    before = (tmp_path / "statistics" / "diagnosis.json").read_bytes()
    assert ends(monkeypatch, swept, tmp_path) == 0
    told = capsys.readouterr().out.splitlines()[-5]
    assert told.startswith(
        f"statistics: kept in {tmp_path / 'statistics'}, made before under other settings: --task is pocket_"
    )
    assert (tmp_path / "statistics" / "diagnosis.json").read_bytes() == before
    about = json.loads(before)
    about["samples"]["n_samples"] -= 1
    (tmp_path / "statistics" / "diagnosis.json").write_text(json.dumps(about))
    assert ends(monkeypatch, swept, tmp_path) == 2
    assert "and the run has" in capsys.readouterr().out.splitlines()[-5]
    (tmp_path / "statistics" / "diagnosis.json").write_text(json.dumps(about | {"complete": False}))  # it was cut short
    assert ends(monkeypatch, swept, tmp_path) == 0
    assert capsys.readouterr().out.splitlines()[-5] == f"statistics: made in {tmp_path / 'statistics'}"


def test_an_imported_run_has_statistics_alone_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        json.dumps({"task": "sums", "question_id": "a", "prompt": "3 + 4?", "target": "7", "completion": "7"}) + "\n"
    )
    done = cli("import", "jsonl", log, "--grader", "sums=math", "--model", "theirs", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    done = cli("diagnose", "all", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-5:]
    assert last[0] == f"statistics: made in {tmp_path / 'run' / 'diagnostics' / 'statistics'}"
    assert all(line.endswith("left out, because the run was imported, so its model is not known") for line in last[1:])
