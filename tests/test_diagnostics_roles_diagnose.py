"""The whole diagnosis of a run that the pocket model drew, against one plain forward pass a position, and kill -9."""

from __future__ import annotations

import json
import math
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from raml_eval.diagnostics.curves.targets import Target
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.roles.diagnose import KIND, AtMarks, Wanted, diagnose_roles, read_values
from raml_eval.exits import ExitCode
from raml_eval.store.locking import try_lock
from raml_eval.store.seeking import RunReader
from tests.dying import command_that_dies_at
from tests.scored import naive_logprobs
from tests.test_cli import FAKE, cli, fails
from tests.test_diagnostics_curves_diagnose import targets_of

torch = pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[1]
DIAGNOSE = ["diagnose", "token-roles"]
FEW = ["--word", "Wait", "--word", "min", "--quiet"]
RUN = [
    "run", "--model", "pocket", "--backend", "hf", "--backend-arg", "dtype=float32", "--tasks", "pocket_sort", "--limit", "4",
    "--samples", "3", "--thinking-budget", "off,unlimited", "--answer-tokens", "48", "--temperature", "1", "--top-p", "1",
    "--quiet",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "pocket"
    done = cli(*RUN, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def diagnosed(run: Path) -> Path:
    done = cli(*DIAGNOSE, run, *FEW, "--closing", " so")
    assert done.returncode == 0, done.stderr
    assert "minus the run's own" in done.stdout
    return run / "diagnostics" / KIND


def lines_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def test_every_value_is_that_of_one_plain_forward_pass(run: Path, diagnosed: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(ROOT / "raml_eval" / "pocket", dtype=torch.float32).eval()
    targets = {one.id: one for one in targets_of(run)}
    rows = pd.read_parquet(diagnosed / "occurrences.parquet")
    with RunReader(run) as reader:
        trajectories = {one.key: one for key in reader.questions for one in reader.trajectories(key).values()}

    def plain(one: Target, at: int, continuation: tuple[int, ...]) -> float:
        naive = naive_logprobs(model, one.token_ids[: one.n_prompt + at], continuation, one.probe.n_scored)
        return -sum(naive) / one.probe.n_scored

    checked = 0
    for _, row in rows.iloc[::7].iterrows():
        key = next(key for key in trajectories if (key.question_id, key.index) == (row.question_id, row["sample"]))
        one, text = targets[trajectories[key].id], trajectories[key].text
        if row.role == "end delimiter":  # one token, </think>
            assert row.before == pytest.approx(plain(one, row.start, one.probe.ids[1:]), abs=1e-4)
            assert row.after == pytest.approx(plain(one, row.start, one.probe.ids), abs=1e-4)
            continue
        held = text[row.start : row.start + row.n_tokens]  # the pocket model has a token a character
        assert held.lower() == {"line end": "\n", "paragraph end": "\n\n"}.get(row.role, row.role.lower())
        assert row.before == pytest.approx(plain(one, row.start, one.probe.ids), abs=1e-4)
        assert row.after == pytest.approx(plain(one, row.start + row.n_tokens, one.probe.ids), abs=1e-4)
        assert row.change == pytest.approx(row.after - row.before)
        checked += 1
    assert checked >= 10


def test_only_needed_positions_are_scored(run: Path, diagnosed: Path) -> None:
    scored = sum(len(line["positions"]) for line in lines_of(diagnosed))  # type: ignore[arg-type]
    rows = pd.read_parquet(diagnosed / "occurrences.parquet")
    n_natural = len(rows[rows.role == "end delimiter"])
    n_endings = len(pd.read_parquet(diagnosed / "endings.parquet"))
    assert scored <= 2 * (len(rows) + rows.n_null.sum()) + 4 * n_natural * n_endings
    folder = DiagnosisFolder(diagnosed.parent, KIND, json.loads((diagnosed / "diagnosis.json").read_text())["settings"])
    drawn = {str(line["id"]).partition("#")[0]: str(line["drawn"]) for line in lines_of(diagnosed)}
    assert len(read_values(folder, drawn)) == n_endings
    assert not read_values(folder, dict.fromkeys(drawn, "of other ids"))


def test_the_section_names_files_that_are_there(diagnosed: Path) -> None:
    section = json.loads((diagnosed / "section.json").read_text())
    assert [one["name"] for one in section["figures"]] == ["roles", "endings"]
    for figure in section["figures"]:
        assert all((diagnosed / f"{figure['name']}.{ending}").stat().st_size > 1000 for ending in ("svg", "pdf", "png"))
    assert [table["file"] for table in section["tables"]] == ["roles.parquet", "endings.parquet", "endings-more.parquet"]
    for table in section["tables"]:
        columns = pd.read_parquet(diagnosed / table["file"]).columns
        assert {name for one in table["columns"] for name in (one["name"], one["low"], one["high"]) if name} <= {*columns}
    assert {*pd.read_parquet(diagnosed / "roles.parquet").role} >= {"min", "line end", "end delimiter"}
    about = json.loads((diagnosed / "diagnosis.json").read_text())
    assert about["complete"]
    assert about["made_with"]["words"] == {"wait": "Wait", "min": "min"}
    assert "' so'" in about["made_with"]["endings"]


def test_a_report_has_its_section(run: Path, diagnosed: Path) -> None:
    done = cli("report", run)
    assert "Roles of tokens" in done.stdout


def test_words_that_are_nowhere_are_told(run: Path, tmp_path: Path) -> None:
    done = cli(*DIAGNOSE, run, "--word", "Hold on", "--limit", "1", "--quiet", "--out", tmp_path)
    assert done.returncode == 0
    section = json.loads((tmp_path / KIND / "section.json").read_text())
    assert any(note.startswith("Nowhere in these thinkings: Hold on, paragraph end") for note in section["notes"])


def test_other_words_and_seeds_score_only_what_is_new(run: Path, tmp_path: Path) -> None:
    few = ["--limit", "2", "--quiet", "--out", tmp_path]
    assert cli(*DIAGNOSE, run, "--word", "Wait", *few).returncode == 0
    before = lines_of(tmp_path / KIND)
    assert cli(*DIAGNOSE, run, "--word", "Wait", *few).returncode == 0
    assert lines_of(tmp_path / KIND) == before
    assert cli(*DIAGNOSE, run, "--word", "min", *few).returncode == 0
    after = lines_of(tmp_path / KIND)
    assert after[: len(before)] == before
    assert len(after) > len(before)
    places = [(line["id"], at) for line in after for at in line["positions"]]  # type: ignore[attr-defined]
    assert len({*places}) == len(places)
    assert "min" in {*pd.read_parquet(tmp_path / KIND / "occurrences.parquet").role}


def test_progress_counts_what_this_choice_needs(run: Path, tmp_path: Path) -> None:
    few = ["--word", "Wait", "--no-formats", "--out", tmp_path]
    assert cli(*DIAGNOSE, run, *few, "--quiet").returncode == 0
    n_stored = len(lines_of(tmp_path / KIND))
    done = cli(*DIAGNOSE, run, *few, "--limit", "1", "--samples", "1")
    (n_done, n_all) = map(int, re.findall(r"(\d+)/(\d+) requests", done.stderr)[-1])
    assert n_done == n_all < n_stored


def test_a_damaged_journal_is_one_error_with_its_line(run: Path, tmp_path: Path) -> None:
    few = ["--word", "Wait", "--no-formats", "--limit", "1", "--quiet", "--out", tmp_path]
    assert cli(*DIAGNOSE, run, *few).returncode == 0
    path = tmp_path / KIND / "journal.jsonl"
    first, *rest = path.read_text().splitlines()
    for line in ("[" * 100_000, json.dumps({**json.loads(first), "nll": [1.0]}), "{}"):
        path.write_text("\n".join([line, *rest]) + "\n")
        fails(cli(*DIAGNOSE, run, *few), f"{path}:1 ", "Repair the line or delete it")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--word", " "], "is blank"),
        (["--closing", ""], "is empty"),
        (["--task", "pocket_srot"], "pocket_sort"),
        (["--backend", "openai_server", "--backend-arg", "base_url=http://127.0.0.1:9/v1"], "127.0.0.1:9"),
    ],
)
def test_what_cannot_be_measured_is_refused(run: Path, tmp_path: Path, words: list[str], told: str) -> None:
    fails(cli(*DIAGNOSE, run, "--out", tmp_path, "--quiet", *words), told)
    assert not (tmp_path / KIND).exists()


def test_the_fake_engine_is_diagnosed_too(tmp_path: Path) -> None:
    assert cli(*FAKE, "--out", tmp_path / "run").returncode == 0
    done = diagnose_roles(tmp_path / "run", Wanted(), quiet=True)
    assert not done.errors
    assert done.n_thoughts + sum(map(len, done.skipped.values())) == 12


def test_a_run_without_thinking_says_so(tmp_path: Path) -> None:
    words = ["off" if word == "0,16,unlimited" else word for word in FAKE]
    assert cli(*words, "--out", tmp_path / "run").returncode == 0
    done = cli(*DIAGNOSE, tmp_path / "run", "--quiet")
    assert done.returncode == 0
    assert "0 occurrences in 0 thinkings" in done.stdout
    assert "nothing to measure" in cli("report", tmp_path / "run").stdout


def test_a_failed_engine_leaves_values_owed(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from raml_eval.backends.hf import HfBackend
    from raml_eval.errors import GenerationError

    score, n = HfBackend.score_at, 0

    async def fail_first(self: HfBackend, *given: object) -> object:
        nonlocal n
        n += 1
        if n == 1:
            raise GenerationError("out of memory. Run again.")
        return await score(self, *given)  # type: ignore[arg-type]

    few = ["--limit", "1", "--quiet", "--out", tmp_path]
    with monkeypatch.context() as patch:
        patch.setattr(HfBackend, "score_at", fail_first)
        done = cli(*DIAGNOSE, run, *few)
    assert done.returncode == ExitCode.OWED
    assert "1 request failed" in done.stderr
    assert not json.loads((tmp_path / KIND / "diagnosis.json").read_text())["complete"]
    assert not (tmp_path / KIND / "section.json").exists()
    with open(tmp_path / KIND / "lock", "rb+") as lock:
        assert try_lock(lock.fileno())  # another process may go on
    assert cli(*DIAGNOSE, run, *few).returncode == 0


def test_only_marks_are_positions() -> None:
    assert AtMarks().first(100, [7, 3, 7]) == [3, 7]
    assert AtMarks().next({3: 9.0, 7: 0.0}) == []


@pytest.mark.slow
def test_kill_9_loses_nothing_and_scores_nothing_twice(run: Path, diagnosed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("diagnostics"))
    words = [*DIAGNOSE, str(copy), *FEW, "--closing", " so", "--concurrency", "1"]
    command = [sys.executable, "-m", "raml_eval", *words]
    path = copy / "diagnostics" / KIND / "journal.jsonl"
    dying = [sys.executable, "-c", command_that_dies_at(path, 3), *command[3:]]
    assert subprocess.run(dying, stderr=subprocess.DEVNULL, timeout=300, check=False).returncode == -signal.SIGKILL
    before = path.read_text().splitlines()[:-1]
    assert 3 == len(before) < len(lines_of(diagnosed))
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    assert path.read_text().splitlines()[: len(before)] == before
    killed, whole = ({line["id"]: line for line in lines_of(folder)} for folder in (path.parent, diagnosed))
    assert {*killed} == {*whole}
    assert len(lines_of(path.parent)) == len(killed)
    for key, line in whole.items():
        assert killed[key]["positions"] == line["positions"]
        assert killed[key]["nll"] == pytest.approx(line["nll"], abs=1e-3)
    frames = [pd.read_parquet(folder / "occurrences.parquet") for folder in (path.parent, diagnosed)]
    assert frames[0][["question_id", "sample", "role", "start", "n_null"]].equals(
        frames[1][["question_id", "sample", "role", "start", "n_null"]]
    )
    assert all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(frames[0].before, frames[1].before, strict=True))
