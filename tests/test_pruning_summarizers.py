"""Summaries by a model on a backend and by a chat server: what is asked, what is stored, and what a failure leaves owed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from raml_eval.checkpoint import find_checkpoint
from raml_eval.diagnostics.pruning.pruning import prune_run
from raml_eval.diagnostics.pruning.summarizers import SummarySettings, label_of, load_summarizer
from raml_eval.diagnostics.pruning.summary_prompt import PROMPT_VERSION
from raml_eval.errors import ConfigError, GaveUp
from raml_eval.reporting.diagnosed import render_diagnosis
from tests.chat_server import Asked, Chat, Reply, serve_chat
from tests.pruned import candidates_of, draw_run
from tests.test_pruning import journal


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_run(tmp_path_factory.mktemp("runs") / "mine", tasks="pocket_chain", samples=2)


@pytest.fixture
def run(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored, tmp_path / "mine"))


def by_chat(chat: Chat, **more: Any) -> SummarySettings:
    return SummarySettings("big", "chat", {"endpoint": chat.url}, **more)


def told(content: str, reason: str = "stop") -> Reply:
    return Reply(raw=json.dumps({"choices": [{"message": {"content": content}, "finish_reason": reason}]}).encode())


def test_a_server_is_asked_once_for_each_thinking(run: Path) -> None:
    with serve_chat() as chat:
        chat.answer = lambda asked, number: told("<think>hm</think>\n1+1=2", "length")
        done = prune_run(run, ["summary"], summary=by_chat(chat, max_tokens=99), quiet=True)
        thinkings = candidates_of(run)
        assert len(chat.asked) == len(thinkings) == len(done.collected.outcomes)
        prune_run(run, ["summary", "last:1"], summary=by_chat(chat, max_tokens=99), quiet=True)
        assert len(chat.asked) == len(thinkings)
        first = chat.asked[0]
        assert (first["temperature"], first["max_tokens"], first["model"]) == (1.0, 99, "big")
        assert len({asked["seed"] for asked in chat.asked}) == len(thinkings)
        texts = {one.subject.trajectory.text for one in thinkings}
        assert all(any(text in prompt for text in texts) for prompt in chat.prompts())
    assert {line["summary"] for line in journal(run, "summaries")} == {"1+1=2"}
    assert {one.cut for one in done.collected.outcomes} == {True}
    for one in done.collected.outcomes:
        assert one.n_kept == one.n_new == len("1+1=2") + (one.n_whole > 0)  # with the line break of the thinking
    label = done.rows[0].rule
    about = json.loads((done.folder / "diagnosis.json").read_text())["summarizers"][label]
    assert about["prompt_version"] == PROMPT_VERSION
    assert about["max_tokens"] == 99
    shown = " ".join(render_diagnosis(done.folder).split())
    assert "summaries by big (chat)" in shown
    assert "summaries ran out of tokens" in shown


def test_a_longer_summary_is_marked(run: Path) -> None:
    with serve_chat() as chat:
        chat.answer = lambda asked, number: told("so " * 200)
        done = prune_run(run, ["summary"], summary=by_chat(chat), quiet=True)
    assert done.rows[0].n_longer == len(done.collected.outcomes) > 0
    assert all(one.forced is one.whole for one in done.collected.outcomes)
    assert "became longer" in render_diagnosis(done.folder)


def test_a_summary_that_fails_is_owed(run: Path) -> None:
    thinkings = candidates_of(run)
    hopeless = thinkings[0].subject.trajectory.text

    def answer(asked: Asked, number: int) -> Reply:
        prompt = asked["messages"][-1]["content"]
        return told("" if f"\n{hopeless}\n" in prompt else "1+1=2")

    with serve_chat() as chat:
        chat.answer = answer
        done = prune_run(run, ["summary"], summary=by_chat(chat), quiet=True)
        n_owed = done.n_owed
        assert 0 < n_owed < len(thinkings)
        assert "wrote nothing" in done.last_failure
        assert not json.loads((done.folder / "diagnosis.json").read_text())["complete"]
        assert "still owed" in render_diagnosis(done.folder)
        assert len(chat.asked) == len(thinkings) + 2 * n_owed  # an empty one is asked for three times
        assert prune_run(run, ["summary"], summary=by_chat(chat), quiet=True).n_owed == n_owed
        assert len(chat.asked) == len(thinkings) + 5 * n_owed
        assert len({asked["seed"] for asked in chat.asked}) == len(chat.asked)  # no seed is tried twice
        chat.answer = lambda asked, number: told("1+1=2")
        assert prune_run(run, ["summary"], summary=by_chat(chat), quiet=True).n_owed == 0


def test_a_server_that_refuses_everything_ends_the_pruning(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raml_eval.diagnostics.pruning.work.MAX_FAILURES_IN_A_ROW", 3)
    with serve_chat() as chat:
        chat.answer = lambda asked, number: Reply(status=400)
        with pytest.raises(GaveUp, match="3 requests in a row failed"):
            prune_run(run, ["summary"], summary=by_chat(chat), quiet=True)


def test_a_summary_that_spells_marks_is_no_mark(run: Path) -> None:
    with serve_chat() as chat:
        chat.answer = lambda asked, number: told("2 <|im_end|> <think> 3")
        done = prune_run(run, ["summary"], summary=by_chat(chat), quiet=True)
    spelled = len("2 <|im_end|> <think> 3")  # a byte a token: no mark of one token among them
    assert {one.n_kept - (one.n_whole > 0) for one in done.collected.outcomes} == {spelled}


def test_a_model_on_a_backend_summarises_too(run: Path) -> None:
    by_fake = SummarySettings("pocket", "fake", max_tokens=64, seed=1)
    done = prune_run(run, ["summary"], summary=by_fake, quiet=True)
    assert done.n_owed == 0
    summaries = journal(run, "summaries")
    assert all(line["summary"].startswith("\\boxed{") for line in summaries)  # what the fake writes without thinking
    again = prune_run(run, ["summary"], summary=SummarySettings("pocket", "fake", max_tokens=64, seed=2), quiet=True)
    assert len(journal(run, "summaries")) == 2 * len(summaries)
    assert len({row.rule for row in again.rows}) == 2  # other settings are another rule, and both are shown


def test_a_prompt_that_does_not_fit_is_skipped(run: Path) -> None:
    settings = SummarySettings("pocket", "fake", {"context": 600}, max_tokens=64)
    done = prune_run(run, ["summary"], summary=settings, quiet=True)
    assert done.n_owed == 0
    assert not done.rows
    assert "does not fit into the summarizer's context" in " ".join(render_diagnosis(done.folder).split())


def test_a_checkpoint_is_known_wherever_it_lies(tmp_path: Path) -> None:
    copy = shutil.copytree(find_checkpoint("pocket").folder, tmp_path / "pocket")
    one, other = SummarySettings("pocket", "fake"), SummarySettings(str(copy), "fake")
    assert label_of(one, load_summarizer(one)[1]) == label_of(other, load_summarizer(other)[1])
    hotter = SummarySettings("pocket", "fake", temperature=0.5)
    assert label_of(one, {}) != label_of(hotter, {})


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"backend": "chat"}, "has no endpoint"),
        ({"backend": "chat", "args": {"url": "x"}}, "has no argument 'url'"),
        ({"backend": "nothing"}, "does not exist"),
        ({"temperature": -1.0}, "temperature is -1"),
        ({"max_tokens": 0}, "max_tokens 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        SummarySettings("m", **settings)


def test_a_summarizer_without_its_rule_is_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match="no effect without --by summary"):
        prune_run(run, ["last:1"], summary=SummarySettings("pocket", "fake"), quiet=True)


@pytest.mark.slow
def test_the_pocket_model_prunes_and_summarises_itself(tmp_path: Path) -> None:
    run = draw_run(tmp_path / "run", tasks="pocket_chain", backend="hf", samples=2, limit=3)
    settings = SummarySettings("pocket", "hf", max_tokens=48)
    done = prune_run(run, ["no-repeats", "last:1", "summary"], summary=settings, quiet=True)
    assert done.n_owed == 0
    assert {row.rule.partition(":")[0] for row in done.rows} == {"no-repeats", "last", "summary"}
