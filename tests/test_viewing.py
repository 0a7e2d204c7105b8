"""`raml-eval view`: what its files hold, and how its page works in a real browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ConfigError, StoreError
from raml_eval.kept_text import cut_text
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.reporting.view import MADE_BY, Written, script_json, write_view
from raml_eval.store.lines import pack_ids
from raml_eval.types import Finish, Grade, SampleKey, Status, ThinkingEnd, Trajectory
from tests.browser import opened
from tests.stored import Drawn, ask, store_run
from tests.test_cli import FAKE, cli, fails
from tests.test_old_runs import OLD

RIGHT, WRONG = Grade(Status.CORRECT, "12", "boxed", "number"), Grade(Status.INCORRECT, "7", "boxed", "number")
NONE = Grade(Status.NO_ANSWER, None, "", "")
QUESTIONS = [ask(0, "12"), ask(1, "12"), ask(2, "5", task="riddles")]
FIRST = {(0, 0): (WRONG, RIGHT), (0, 1): (RIGHT, WRONG), (1, 0): (RIGHT, RIGHT), (2, 0): (NONE, WRONG)}
SECOND = {(0, 0): (WRONG, WRONG), (0, 1): (RIGHT, WRONG), (1, 0): (WRONG, RIGHT)}


def store(path: Path, grades: dict[tuple[int, int], tuple[Grade, Grade]], name: str) -> Path:
    """A run at budgets 8 and 16. keys are question and sample. A thinking has 22 tokens, one for each character."""
    drawn = [
        Drawn(
            f"so \\boxed{{{grade.answer}}} says {name}",
            grade,
            Finish.STOP,
            budget,
            question,
            f"thought {question} of {name}!!!!",
        )
        for (question, _), pair in grades.items()
        for budget, grade in zip((8, 16), pair, strict=True)
    ]
    store_run(path, QUESTIONS, drawn, version="3")
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"name": name}))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return store(folder / "first", FIRST, "first"), store(folder / "second", SECOND, "second")


@pytest.fixture(scope="module")
def shown(runs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_view(runs, tmp_path_factory.mktemp("view") / "out").index


def read(path: Path, function: str) -> Any:
    """What the file passes to the page's function."""
    text = path.read_text(encoding="ascii")
    assert text.startswith(f"{function}(")
    assert text.endswith(");\n")
    return json.loads(f"[{text.removeprefix(f'{function}(').removesuffix(chr(10)).removesuffix(';').removesuffix(')')}]")


def pages_of(index: Path) -> list[Any]:
    return [read(path, "raml_page")[1] for path in sorted(index.parent.glob("page_*.js"))]


def test_the_files_hold_every_sample(runs: tuple[Path, Path], tmp_path: Path) -> None:
    done = write_view(runs, tmp_path / "view")
    assert done == Written(tmp_path / "view" / "index.html", 4, 14, 1)
    (index,) = read(tmp_path / "view" / "index.js", "raml_index")
    assert [run["name"] for run in index["runs"]] == ["first", "second"]
    assert (index["budgets"], index["caps"], index["tasks"]) == (["8", "16"], [0, 1], ["sums", "riddles"])
    assert index["letters"] == ["iccicc" + "ni", "iiciic" + "--"]
    assert index["samples"] == [0, 1, 0, 0]
    (page,) = pages_of(done.index)
    assert [len(part["draws"]) for part in page] == [2, 1, 1]
    first, second = page[1]["draws"][0]["runs"]
    assert [sample["status"] for sample in second["samples"]] == ["incorrect", "correct"]
    assert first["samples"][0] | {"seed": "0"} == {
        "status": "correct", "end": "natural", "kept": 22, "tokens": 3, "finish": "stop", "extracted": "12", "rule": "boxed",
        "detail": "number", "seed": "0", "budget": 0, "answer": 0, "thinking": 0,
    }  # fmt: skip
    assert first["answers"] == ["so \\boxed{12} says first"]  # one answer at both budgets is held once
    assert page[2]["draws"][0]["runs"][1] is None
    assert page[2]["question"]["gold"] == "5"


def test_a_real_run_shows_where_its_budgets_cut(tmp_path: Path) -> None:
    """The parts of the text end where the tokens that each budget kept end."""
    run = tmp_path / "run"
    assert cli(*FAKE, "--thinking-budget", "0,5,9,unlimited", "--out", run).returncode == 0
    index = write_view([run], tmp_path / "view").index
    checkpoint = find_checkpoint("pocket").at_hand()
    assert checkpoint is not None
    tokenizer = load_tokenizer(checkpoint)
    n_cut = 0
    for page in pages_of(index):
        for part in page:
            for draw in part["draws"]:
                for thinking in draw["runs"][0]["thinkings"]:
                    assert thinking["cut"]
                    ids = tokenizer.encode("".join(thinking["parts"]), add_special_tokens=False)
                    for place, count in enumerate(thinking["counts"]):
                        kept = "".join(thinking["parts"][: place + 1])
                        if len(ids) == thinking["drawn"]:
                            assert kept == tokenizer.decode(ids[:count], skip_special_tokens=False)
                            n_cut += 1
    assert n_cut > 20


class Bytes:
    """A tokenizer whose tokens are the bytes of UTF-8."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return list(text.encode())

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        return bytes(token_ids).decode("utf-8", "replace")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.integers(0, 40), unique=True))
def test_cuts_are_in_order_and_lose_nothing(text: str, counts: list[int]) -> None:
    tokens = tuple(text.encode())
    thinking = Trajectory(SampleKey("a", "b", 0), 99, tokens, ThinkingEnd.NATURAL, (), text, 0)
    inside = sorted(count for count in counts if count < len(tokens))
    parts = cut_text(thinking, inside, Bytes())
    assert parts is not None
    assert "".join(parts) == text
    assert len(parts) == len(inside) + 1
    for place, count in enumerate(inside):
        kept = "".join(parts[: place + 1]).encode()
        assert tokens[: len(kept)] == tuple(kept)
        assert count - 4 < len(kept) <= count
    assert cut_text(replace(thinking, text=text + "x"), inside, Bytes()) is None
    assert cut_text(thinking, inside, None) is None


@given(st.recursive(st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_json_in_a_script_is_ascii_without_markup(content: Any) -> None:
    text = script_json(content)
    assert text.isascii()
    assert not set(text) & set("<>&\n\r")
    assert json.loads(text) == content


def test_pages_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store_run(tmp_path / "run", [ask(0, "12")], [Drawn(f"answer {i}" * 50, RIGHT) for i in range(30)])
    monkeypatch.setattr("raml_eval.reporting.view.PAGE_DRAWS", 7)
    done = write_view([run], tmp_path / "view")
    assert (done.n_draws, done.n_pages) == (30, 5)
    monkeypatch.setattr("raml_eval.reporting.view.PAGE_CHARACTERS", 1500)
    done = write_view([run], tmp_path / "view")
    assert done.n_pages == 8  # the files of the earlier view are gone
    assert len(list((tmp_path / "view").glob("page_*.js"))) == 8
    numbers = [draw["sample"] for page in pages_of(done.index) for part in page for draw in part["draws"]]
    assert sorted(numbers) == list(range(30))


def test_a_view_that_was_interrupted_is_written_again(
    runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("raml_eval.reporting.view.call", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_view(runs, tmp_path / "view")
    assert not (tmp_path / "view" / "index.js").exists()
    assert write_view(runs, tmp_path / "view").n_draws == 4


def test_a_folder_of_other_files_is_left_alone(runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "page_0.js").write_text("mine")
    with pytest.raises(ConfigError, match="holds other files"):
        write_view(runs, tmp_path)
    assert (tmp_path / "page_0.js").read_text() == "mine"
    with pytest.raises(StoreError, match="not a run directory"):
        write_view([tmp_path], tmp_path / "out")
    with pytest.raises(ConfigError, match=r"there is no task 'sum'\. Did you mean sums"):
        write_view(runs, tmp_path / "out", ["sum"])
    assert not (tmp_path / "out").exists()
    assert write_view(runs, tmp_path / "out", ["riddles"]).n_draws == 1


def test_an_imported_run_is_shown_without_counts(tmp_path: Path) -> None:
    with opened(write_view([OLD / "imported"], tmp_path / "view").index) as watched:
        watched.page.get_by_text("not counted").first.wait_for()
        assert watched.page.locator("#list a").count() > 0
        watched.check_quiet()


def test_the_command_says_what_to_open(runs: tuple[Path, Path], tmp_path: Path) -> None:
    done = cli("view", *runs, "--out", tmp_path / "view")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path}/view/index.html: 4 draws with 14 samples in 1 file; open it in a browser\n"
    assert MADE_BY in (tmp_path / "view" / "index.html").read_text()


def names(page: Any) -> list[str]:
    return page.locator("#list .name").all_text_contents()  # type: ignore[no-any-return]


def choose(page: Any, label: str, option: str) -> list[str]:
    """The matches once the option is chosen; all other filters are at their first option."""
    for box in page.locator("#filters select:visible").all():
        box.select_option(index=0)
    page.get_by_label(label, exact=True).select_option(label=option)
    return names(page)


ALL = ["sums/0-abcdef · 0", "sums/0-abcdef · 1", "sums/1-abcdef · 0", "riddles/2-abcdef · 0"]


def test_filters_choose_draws(shown: Path) -> None:
    with opened(shown) as watched:
        page = watched.page
        page.get_by_text("1 of 4").wait_for()
        assert names(page) == ALL
        assert choose(page, "Task", "riddles") == ALL[3:]
        assert choose(page, "Status", "no_answer") == ALL[3:]
        assert choose(page, "Status", "correct") == ALL[:3]
        assert choose(page, "Between budgets", "wrong, then right") == [ALL[0], ALL[2]]
        assert choose(page, "Between budgets", "right, then wrong") == [ALL[1]]
        assert choose(page, "Between runs", "only the first right") == [ALL[0], ALL[2]]
        assert choose(page, "Between runs", "only the second right") == []
        page.get_by_text("No draw fits the filters.").wait_for()
        choose(page, "Between runs", "differ")
        page.get_by_label("Budget", exact=True).select_option(label="16")
        assert names(page) == [ALL[0]]
        choose(page, "Status", "correct")
        page.get_by_label("In", exact=True).select_option(label="second")
        page.get_by_label("Budget", exact=True).select_option(label="8")
        assert names(page) == [ALL[1]]
        watched.check_quiet()


def test_a_chosen_budget_narrows_the_flips_to_those_at_it(runs: tuple[Path, Path], tmp_path: Path) -> None:
    """The second thinking turns at 8 and back at 16; the first one has no smaller budget than 8, and turns at 16."""
    drawn = [
        Drawn("a", grade, Finish.STOP, budget, question, f"thought {question}!!!!")
        for question, grades in ((0, (WRONG, WRONG, RIGHT)), (1, (WRONG, RIGHT, WRONG)))
        for budget, grade in zip((4, 8, 16), grades, strict=True)
    ]
    store_run(tmp_path / "run", QUESTIONS, drawn, version="3")
    with opened(write_view([tmp_path / "run"], tmp_path / "view").index) as watched:
        page = watched.page
        first, second = "sums/0-abcdef · 0", "sums/1-abcdef · 0"
        assert choose(page, "Between budgets", "wrong, then right") == [first, second]
        page.get_by_label("Budget", exact=True).select_option(label="16")
        assert names(page) == [first]
        page.get_by_label("Budget", exact=True).select_option(label="8")
        assert names(page) == [second]
        page.get_by_label("Budget", exact=True).select_option(label="4")
        assert names(page) == []
        assert choose(page, "Between budgets", "right, then wrong") == [second]
        page.get_by_label("Budget", exact=True).select_option(label="8")
        assert names(page) == []
        watched.check_quiet()


IS_SEEN = "at => { const box = at.getBoundingClientRect(); return document.elementFromPoint(box.x + 4, box.y + 8) === at; }"
END_OF_TEXT = (
    "at => { const all = document.createRange(); all.selectNodeContents(at); return all.getBoundingClientRect().right; }"
)


@pytest.mark.parametrize("width", [400, 1400])
def test_the_number_of_a_sample_is_seen_beside_a_long_name(tmp_path: Path, width: int) -> None:
    questions = [ask(row, "12", task="a_task_with_a_name_of_many_words") for row in range(2)]
    budgets = (1, 2, 4, 8, 16)
    drawn = [Drawn("a", RIGHT, Finish.STOP, budget, row, "thought!!!!") for row in (0, 0, 1) for budget in budgets]
    store_run(tmp_path / "run", questions, drawn, version="3")
    with opened(write_view([tmp_path / "run"], tmp_path / "view").index, width=width) as watched:
        page = watched.page
        page.get_by_text("1 of 3").wait_for()
        for link in page.locator("#list a").all():
            number, lights = (link.locator(part).bounding_box() for part in (".number", ".lights"))
            assert number["width"] > 10
            assert number["x"] + number["width"] <= lights["x"]
            assert lights["x"] + lights["width"] <= width
            assert link.locator(".number").evaluate(IS_SEEN)
        for field in page.locator("#filters div:not([hidden])").all():
            words = field.locator("label").evaluate(END_OF_TEXT)
            assert words + 4 <= field.locator("select, input").bounding_box()["x"]  # a label does not touch its field
        watched.check_quiet()


def test_text_is_searched_in_every_file(shown: Path) -> None:
    with opened(shown) as watched:
        page = watched.page
        page.get_by_label("Text").fill("THOUGHT 1 OF SECOND")
        page.get_by_text("1 of 4 draws").wait_for()
        assert names(page) == [ALL[2]]
        assert page.locator("#draw mark").all_inner_texts() == ["thought 1 of second"]
        page.get_by_label("Text").fill("nowhere at all")
        page.get_by_text("0 of 4 draws").wait_for()
        watched.check_quiet()


def test_keys_go_to_the_next_and_the_previous_draw(shown: Path) -> None:
    with opened(shown) as watched:
        page = watched.page
        title = page.locator("#draw h2").first
        page.get_by_text("1 of 4", exact=True).wait_for()
        for key, place in (("j", 2), ("ArrowRight", 3), ("j", 4), ("j", 4), ("k", 3), ("ArrowLeft", 2)):
            page.keyboard.press(key)
            page.get_by_text(f"{place} of 4", exact=True).wait_for()
        assert title.inner_text() == "sums/0-abcdef, sample 1"
        assert page.url.endswith("#sums/0-abcdef/1")
        assert page.locator("#list [aria-current] .name").text_content() == ALL[1]
        page.get_by_role("button", name="Next").focus()
        for place in (3, 4):
            page.keyboard.press("Enter")
            page.get_by_text(f"{place} of 4", exact=True).wait_for()
        page.locator("#list a").nth(1).focus()
        page.keyboard.press("Enter")
        page.get_by_text("2 of 4", exact=True).wait_for()
        assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
        page.keyboard.press("/")
        page.keyboard.type("jk")  # in a field, keys are text
        assert page.get_by_label("Text").input_value() == "jk"
        page.get_by_text("0 of 4 draws").wait_for()
        page.get_by_label("Text").fill("")
        page.locator("#list a").nth(1).click()
        page.reload()
        page.get_by_text("2 of 4", exact=True).wait_for()  # the address names the draw
        watched.check_quiet()


def wait_for_address(page: Any, end: str) -> None:
    page.wait_for_function("end => location.hash === end", arg=end)


def test_the_address_holds_the_filters(shown: Path) -> None:
    with opened(shown) as watched:
        page = watched.page
        choose(page, "Between budgets", "wrong, then right")
        wait_for_address(page, "#sums/0-abcdef/0?flip=gained")
        page.get_by_label("In", exact=True).select_option(label="second")
        page.get_by_label("Status", exact=True).select_option(label="correct")
        page.get_by_label("Budget", exact=True).select_option(label="16")
        page.get_by_label("Text").fill("second")
        wait_for_address(page, "#sums/1-abcdef/0?budget=16&status=correct&in=1&flip=gained&text=second")
        assert names(page) == [ALL[2]]
        assert page.locator("#list a").first.get_attribute("href").endswith("&text=second")
        sent = page.url
        page.goto("about:blank")
        page.goto(sent)
        page.get_by_text("1 of 4 draws").wait_for()
        assert names(page) == [ALL[2]]
        assert page.get_by_label("Text").input_value() == "second"
        assert page.get_by_label("Budget", exact=True).evaluate("field => field.selectedOptions[0].text") == "16"
        page.evaluate("location.hash = '#riddles/2-abcdef/0?task=riddles'")  # as one who pastes another address
        page.get_by_text("riddles/2-abcdef, sample 0").wait_for()
        assert names(page) == [ALL[3]]
        assert page.get_by_label("Text").input_value() == ""
        assert page.locator("#told").is_hidden()


def test_an_address_that_names_what_is_not_here_is_told(shown: Path) -> None:
    for address, told in (
        ("#nonsense/1/9", "The address asks for a draw nonsense/1/9, which this page does not have. The first match is shown."),
        ("#sums/0-abcdef/1/7", "a draw sums/0-abcdef/1/7, which"),
        ("#%zz", "a draw %zz, which"),
        ("#sums/0-abcdef/1?budget=77&colour=red", "asks for a filter colour, budget 77, which this page does not have."),
        ("#sums/0-abcdef/1?task=riddles", "The draw sums/0-abcdef/1 does not fit the filters. The first match is shown."),
        ("#<img src=x onerror=alert(1)>", "onerror=alert(1)"),
    ):
        with opened(shown) as watched:
            page = watched.page
            page.goto("about:blank")
            page.goto(shown.resolve().as_uri() + address)
            page.get_by_text(told).wait_for()
            page.keyboard.press("j")
            assert page.locator("#told").is_hidden()  # it is of the address, which is another one now
            assert watched.dialogs == []
    with opened(shown) as watched:
        watched.page.get_by_text("1 of 4", exact=True).wait_for()
        assert watched.page.locator("#told").is_hidden()


@pytest.mark.parametrize("width", [400, 1400])
def test_the_verdicts_of_two_runs_fit_their_boxes(shown: Path, width: int) -> None:
    with opened(shown, width=width) as watched:
        page = watched.page
        page.get_by_text("1 of 4", exact=True).wait_for()
        boxes = page.locator(".sides .table").evaluate_all("boxes => boxes.map((box) => [box.scrollWidth, box.clientWidth])")
        assert len(boxes) == 2
        assert all(inside <= seen for inside, seen in boxes), boxes
        assert page.locator(".sides td.more").first.inner_text().endswith("found by rule boxed; decided by number")
        cut = "fields => fields.filter((f) => f.offsetParent && f.clientWidth < 180).map((f) => f.id)"
        assert page.locator("#filters select").evaluate_all(cut) == []  # "only the second right" can be read


def test_a_draw_shows_both_runs_and_why(shown: Path) -> None:
    with opened(shown) as watched:
        page = watched.page
        page.get_by_text("1 of 4", exact=True).wait_for()
        sides = page.locator(".sides > section")
        assert sides.count() == 2
        told = sides.nth(0).inner_text()
        assert "first" in told
        assert "↑ gained" in told
        assert "found by rule boxed; decided by number" in told
        assert "so \\boxed{12} says first" in told
        assert sides.nth(0).get_by_label("second differs").count() == 1
        assert "says second" in sides.nth(1).inner_text()
        watched.check_quiet()


def test_cuts_stand_inside_the_thinking(tmp_path: Path) -> None:
    """A budget of 5 tokens cuts pocket's thinking in its text; a budget dims what lies beyond it."""
    run = tmp_path / "run"
    assert cli(*FAKE, "--thinking-budget", "0,5,unlimited", "--out", run).returncode == 0
    with opened(write_view([run], tmp_path / "view").index) as watched:
        page = watched.page
        page.locator(".cut", has_text="5: cut after 5 tokens").first.wait_for()
        text = page.locator("pre", has=page.locator(".cut")).first
        assert text.inner_text().lstrip().startswith("✂ 0: cut after 0 tokens")
        page.get_by_label("Budget", exact=True).select_option(label="5")
        page.locator("tbody.chosen", has_text="5").wait_for()
        assert text.locator(".beyond").count() == 1
        watched.check_quiet()


def test_without_the_tokenizer_only_counts_are_told(tmp_path: Path) -> None:
    run = store(tmp_path / "run", FIRST, "first")
    path = run / "samples.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    cut = [line | ({"thinking_end": "forced", "n_thinking_tokens": 8} if line["budget"] == 8 else {}) for line in lines]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in cut))
    trajectories = (run / "trajectories.jsonl").read_text().splitlines()
    assert all(pack_ids(range(22)) in line for line in trajectories)  # ids that pocket's tokenizer gives another text for
    with opened(write_view([run], tmp_path / "view").index) as watched:
        watched.page.get_by_text("Cut at 8 after 8 tokens. The places are not shown").first.wait_for()
        assert watched.page.locator(".cut").count() == 0
        watched.check_quiet()


def test_the_terminal_says_why_no_cuts_are_marked(tmp_path: Path) -> None:
    """The model was named by a path from another folder: it is looked for above the run, and can be named."""
    checkpoint = find_checkpoint("pocket").at_hand()
    assert checkpoint is not None
    drawn = tmp_path / "drawn"
    assert cli(*FAKE, "--thinking-budget", "5,unlimited", "--out", drawn / "run").returncode == 0
    path = drawn / "run" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"model": manifest["model"] | {"name": "models/mine"}}))

    def marked(*given: Any) -> tuple[bool, str]:
        done = cli("view", drawn / "run", "--out", tmp_path / "view", *given)
        assert done.returncode == 0, done.stderr
        thinkings = [
            thinking
            for page in pages_of(tmp_path / "view" / "index.html")
            for part in page
            for draw in part["draws"]
            for thinking in draw["runs"][0]["thinkings"]
        ]
        return any(thinking["counts"] for thinking in thinkings), done.stderr

    has_cuts, told = marked()
    assert not has_cuts
    assert "thinkings that a budget cut show no cuts: the tokenizer of its model models/mine is neither in" in told
    assert told.endswith("Name its folder with --tokenizer FOLDER.\n")
    assert len(told.splitlines()) == 1
    assert marked("--tokenizer", checkpoint.source) == (True, "")
    (drawn / "models").mkdir()
    (drawn / "models" / "mine").symlink_to(checkpoint.source)
    assert marked() == (True, "")
    before = (tmp_path / "view" / "index.js").read_bytes()
    fails(cli("view", drawn / "run", "--out", tmp_path / "view", "--tokenizer", tmp_path), "has no usable tokenizer")
    two = ("--tokenizer", "a", "--tokenizer", "b")
    fails(cli("view", drawn / "run", "--out", tmp_path / "view", *two), "--tokenizer is given 2 times; wanted once")
    assert (tmp_path / "view" / "index.js").read_bytes() == before


@pytest.mark.parametrize(("width", "dark"), [(360, True), (1300, False)])
def test_the_page_fits_its_window(shown: Path, width: int, dark: bool) -> None:
    with opened(shown, width=width, dark=dark) as watched:
        watched.page.get_by_text("1 of 4", exact=True).wait_for()
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        watched.check_quiet()


def test_without_scripts_the_page_says_what_else_shows_samples(shown: Path) -> None:
    with opened(shown, scripts=False) as watched:
        assert watched.page.get_by_text("raml-eval show RUN").is_visible()
