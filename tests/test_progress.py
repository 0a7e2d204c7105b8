"""One line that says how much is done, how fast, and how long the rest will take."""

import io
import re

import pytest

from raml_eval.progress import Progress, SoFar, note, notes_once


def test_a_line_has_counts_rates_and_what_is_left() -> None:
    stream = io.StringIO()
    with Progress(200, done=100, stream=stream) as progress:
        progress.advance(samples=50, tokens=5000, errors=2)
        assert re.fullmatch(
            r"150/200 samples · [\d,.]+ samples/s · [\d,]+ tokens/s · \d+:\d\d:\d\d left · 2 failed", progress.line()
        )
        progress.advance(samples=50)
    assert re.search(r"200/200 samples .* in 0:00:0\d · 2 failed\n$", stream.getvalue())


def test_what_was_done_before_does_not_count_as_speed() -> None:
    assert "no estimate yet" in Progress(10, done=9, stream=io.StringIO()).line()


def test_what_was_all_done_before_has_no_speed() -> None:
    stream = io.StringIO()
    with Progress(10, done=10, stream=stream, noun="curves", about="pseudo-gradient: "):
        pass
    assert stream.getvalue() == "pseudo-gradient: 10/10 curves · all stored before\n"
    with Progress(10, done=9, stream=stream) as progress:
        progress.advance(samples=1)
        assert "samples/s" in progress.line()


def test_quiet_prints_nothing() -> None:
    stream = io.StringIO()
    with Progress(1, stream=stream, quiet=True) as progress:
        progress.advance(samples=1)
    assert stream.getvalue() == ""


def test_other_things_than_samples_are_counted_by_their_name() -> None:
    with Progress(4, stream=io.StringIO(), noun="judgements") as progress:
        progress.advance(samples=2)
        assert re.fullmatch(r"2/4 judgements · [\d,.]+ judgements/s · \d+:\d\d:\d\d left", progress.line())


def test_what_is_right_so_far_says_how_it_is_biased_and_what_is_missing() -> None:
    so_far = SoFar({"0": 4, "1024": 4})
    assert so_far.text() == ""
    for right in (True, True, False):
        so_far.count("1024", right)
    assert so_far.text() == (
        "so far, biased toward short answers: budget 0: no sample, 4 missing; budget 1024: 67 % of 3 samples right, 1 missing"
    )
    for budget in ("0", "0", "0", "0", "1024"):
        so_far.count(budget, False)
    assert so_far.text() == ""  # the table has the whole


def test_what_is_right_so_far_is_told_now_and_then_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, so_far = io.StringIO(), SoFar({"0": 9})
    progress = Progress(9, stream=stream, so_far=so_far)
    so_far.count("0", True)
    monkeypatch.setattr("raml_eval.progress._ESTIMATE_S", 3600)
    progress.advance(samples=1)
    assert stream.getvalue() == ""
    monkeypatch.setattr("raml_eval.progress._ESTIMATE_S", 0)
    progress.advance(samples=1)
    assert stream.getvalue() == "so far, biased toward short answers: budget 0: 100 % of 1 sample right, 8 missing\n"
    progress.end()
    assert stream.getvalue().count("so far, biased") == 2


def test_names_cannot_steer_the_terminal() -> None:
    stream = io.StringIO()
    with Progress(1, stream=stream, about="a\x1b[2J: ") as progress:
        progress.tell("run \x9b31m is decided")
    assert "\x1b" not in stream.getvalue()
    assert "\x9b" not in stream.getvalue()
    assert "a\\x1b[2J: " in stream.getvalue()


def test_a_note_is_given_once_where_many_runs_would_give_it(capsys: pytest.CaptureFixture[str]) -> None:
    with notes_once():
        note("first")
        note("first")
        note("second")
    note("first")
    assert capsys.readouterr().err == "note: first\nnote: second\nnote: first\n"
