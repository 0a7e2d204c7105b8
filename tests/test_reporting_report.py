"""Reports in every form: complete, escaped, and with their footnotes."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.errors import ConfigError, MetricError
from raml_eval.reporting.render import (
    WIDTH,
    Cell,
    Table,
    clean,
    escape_latex,
    escape_markdown,
    known_templates,
    percent,
    render,
)
from raml_eval.reporting.report import build_report, render_report
from raml_eval.reporting.sections import _bar
from raml_eval.tables import COLUMNS, build_frame
from raml_eval.types import Budget, Status, StoredRun
from tests.factory import by_row, make_run

RUN = make_run(by_row(lambda row: row % 5), chance=0.25, limit=10)
HOSTILE = make_run(
    by_row(lambda row: 1), name="x", model="<b>|_org_\\name$&\x1b[31m\n", tasks={"_t|a#k_": "in_domain"}, n_questions=3
)


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex"])
@pytest.mark.parametrize("template", ["default", "compact"])
def test_every_template_shows_every_task_budget_and_note(template: str, form: str) -> None:
    text = render_report([RUN], template=template, format=form).replace("\\_", "_")
    for word in ("In-domain", "Cross-domain", "Macro means", "pocket_chain", "pocket_sort", "64", "avg@4", "Suite pocket"):
        assert word in text
    assert "50.0 [" in text  # the mean of 0, 1, 2, 3, 4 of 4
    assert "a seeded subset of at most 10 questions" in text
    assert not re.search(r"\bnan\b|None", text)


def test_the_default_report_holds_stability_lengths_and_gains() -> None:
    base = make_run(by_row(lambda row: row % 4), name="base", model="old")
    short = render_report([RUN], format="markdown", base=base)
    assert "G-Pass@4 τ=1" in short
    assert "mG-Pass@4" in short
    assert not any(word in short for word in ("G-Pass@4 τ=0.25", "normalized", "maj@4"))
    text = render_report([RUN], format="markdown", base=base, full=True)
    for word in ("pass@4", "G-Pass@4 τ=0.25", "G-Pass@4 τ=1", "mG-Pass@4 normalized", "maj@4", "forced", "unfinished"):
        assert word in text
    assert "gain in pocket_chain" in text
    assert "Gains are over old (base)" in text
    assert "chance 25.0" in text


def test_cells_are_shown_where_a_task_has_them() -> None:
    records = tuple(replace(r, grade=replace(r.grade, score=0.75)) if r.key.task == "pocket_sort" else r for r in RUN.records)
    for form in ("markdown", "terminal"):
        text = render_report([replace(RUN, records=records)], format=form)
        assert "partial score" in text
        assert "75" in text
        assert "partial score" not in render_report([RUN], format=form)


def test_json_rows_are_the_tidy_frame_with_null_for_what_is_not_there() -> None:
    rows = json.loads(render_report([RUN], format="json", k=[2, 16]))["rows"]
    assert all(list(row) == [*COLUMNS, "notes"] for row in rows)
    assert len(rows) == len(build_frame([RUN], k=[2, 16]))
    assert {row["value"] for row in rows if row["k"] == 16} == {None}
    assert {type(row["k"]) for row in rows} == {int, type(None)}


def test_csv_is_the_tidy_frame() -> None:
    rows = list(csv.DictReader(io.StringIO(render_report([RUN], format="csv"))))
    assert list(rows[0]) == [*COLUMNS, "notes"]
    average = [row for row in rows if (row["task"], row["budget"], row["metric"]) == ("pocket_chain", "16", "avg@n")]
    assert [float(row["value"]) for row in average] == [0.5]
    assert {row["k"] for row in rows} == {"", "4"}


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t=", "\r=", "\n@", "x\r="])
def test_no_text_of_a_csv_is_a_formula(first: str) -> None:
    """A blank stands for a control character, behind which a spreadsheet might begin a new cell or skip to the formula."""
    name = f'{first}HYPERLINK("http://x","a")'
    written = name.translate(dict.fromkeys(map(ord, "\t\r\n"), " "))
    run = make_run(by_row(lambda row: row % 5), name=name, model=name, limit=10)
    base = make_run(by_row(lambda row: 4), name="base", model="base", limit=10)
    rows = list(csv.reader(io.StringIO(render_report([run], format="csv", base=base), newline="")))
    texts = [cell for row in rows for cell in row if not re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell)]
    assert (written if first == "x\r=" else f"'{written}") in texts
    assert not [text for text in texts if text.lstrip().startswith(("=", "+", "-", "@")) or set(text) & set("\t\r\n")]
    gains = [
        float(row[list(COLUMNS).index("value")]) for row in rows[1:] if row[list(COLUMNS).index("metric")].startswith("gain")
    ]
    assert any(gain < 0 for gain in gains)  # a negative number stays one


def test_a_command_of_ours_is_code_in_markdown_and_nothing_else_is() -> None:
    assert escape_markdown("see `raml-eval show`; `<b>`") == "see `raml-eval show`; \\`&lt;b&gt;\\`"
    assert escape_markdown("`raml-eval regrade --timeout SECONDS`.") == "`raml-eval regrade --timeout SECONDS`."
    assert escape_markdown("`raml-eval x|y`") == "\\`raml-eval x\\|y\\`"


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"template": "defualt"}, "there is no report template 'defualt'. Did you mean default?"),
        ({"format": "markdwon"}, "there is no report format 'markdwon'. Did you mean markdown"),
        ({"template": "compact", "format": "csv"}, "template compact has no format 'csv'"),
        ({"template": "../default"}, "there is no report template '../default'"),
        ({"template": "_leaderboard", "format": "markdown"}, "there is no report template '_leaderboard'"),
    ],
)
def test_unknown_templates_and_formats_are_refused(settings_: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        render_report([RUN], **settings_)  # type: ignore[arg-type]


def test_a_report_refuses_missing_samples() -> None:
    partial = replace(RUN, records=RUN.records[1:])
    with pytest.raises(MetricError, match="lacks 1 of"):
        render_report([partial])
    assert "partial: 1 of 160" in render_report([partial], allow_partial=True)


def test_templates_exist_in_every_form() -> None:
    assert {name: sorted(forms) for name, forms in known_templates().items()} == {
        name: ["latex", "markdown", "terminal"] for name in ("default", "compact")
    }


@pytest.mark.parametrize("runs", [[RUN], [RUN, make_run(by_row(lambda row: 1), name="other", model="m" * 60)]])
def test_a_terminal_report_fits_its_width(runs: list[StoredRun]) -> None:
    lines = render_report(runs).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert any(line.startswith("pocket_chain") and line.count("▅ 50") == 2 for line in lines)


def test_footnote_marks_lead_to_their_notes() -> None:
    run = make_run(lambda t, r, i, b: Status.UNFINISHED if (t, i, b) == ("pocket_sort", 0, 16) else Status.CORRECT, limit=10)
    text = render_report([run], format="markdown")
    number = next(line.split(".")[0] for line in text.splitlines() if "unfinished and count as wrong" in line)
    table = [line for line in text.splitlines() if line.startswith("| tiny") and f"<sup>{number}</sup>" in line]
    assert len(table) == 1
    assert "| 16 " in table[0]
    assert "75.0 [" in table[0]
    assert "tiny<sup>1,2</sup>" in table[0]  # the subset and the made-up answers hold for the whole run


def test_hostile_names_stay_text_in_every_form() -> None:
    markdown = render_report([HOSTILE], format="markdown")
    assert "<b>" not in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in rows[:4]}
    assert len(columns) == 1
    latex = render_report([HOSTILE], format="latex")
    assert r"\textless{}b\textgreater{}" in latex
    assert r"\textbackslash{}name\$\&" in latex
    assert r"a\#k\_" in latex
    assert "\x1b" not in render_report([HOSTILE])


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_any_text_is_one_cell(text: str) -> None:
    table = Table("", (Cell("a"), Cell("b")), ((Cell(text), Cell("1")),))
    board = {"title": text, "description": ""}
    markdown = render("_leaderboard.markdown.jinja", "markdown", board=board, tables=[table], notes=[text])
    row = [line for line in markdown.splitlines() if line.startswith("|")][-1]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 3
    assert "<" not in escape_markdown(text)
    latex = escape_latex(text)
    assert not re.search(r"(?<!\\)[#$%&_](?!\\tau|\\le)", latex.replace(r"$\tau$", "").replace(r"$\le$", ""))
    assert clean(text) == clean(clean(text))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0.613, 0.57, 0.654), "61.3 [57.0, 65.4]"),
        ((0.5,), "50.0"),
        ((None, None, None), "n/a"),
        ((-0.0001, -0.1, 0.1), "0.0 [-10.0, 10.0]"),
        ((0.0325,), "3.3"),  # a tie goes away from 0, whatever its binary digits are
        ((0.0525,), "5.3"),
        ((-0.6125, None, None), "-61.3"),
    ],
)
def test_shares_are_written_in_percent(arguments: tuple[float | None, ...], expected: str) -> None:
    assert percent(*arguments) == expected  # type: ignore[arg-type]


def test_the_curve_needs_more_than_one_budget() -> None:
    single = make_run(by_row(lambda row: 1), budgets=(16,))
    assert build_report([single], build_frame([single])).curve == ()
    assert len(build_report([RUN], build_frame([RUN])).curve) == 3


def test_several_graders_are_told_beside_the_accuracies() -> None:
    mixed = replace(RUN, grader_versions=("1", "2"))
    report = build_report([mixed], build_frame([mixed]))
    (number,) = (
        i for i, note in enumerate(report.notes, 1) if note.startswith("the verdicts are those of several graders, 1 and 2")
    )
    for table in (section.tables[0] for section in report.sections):  # that of the accuracies
        assert all(any(number in cell.marks for cell in row) for row in table.rows)
    for versions in ((), ("1",)):
        one = replace(RUN, grader_versions=versions)
        assert not any("grader" in note for note in build_report([one], build_frame([one])).notes)


def test_runs_of_different_graders_are_told_apart() -> None:
    first, second = (
        replace(make_run(by_row(lambda row: 2), name=name), grader_versions=(version,))
        for name, version in (("a", "1"), ("b", "2"))
    )
    notes = build_report([first, second], build_frame([first, second])).notes
    assert any("different graders graded the runs, a by 1, b by 2" in note for note in notes)
    same = replace(second, grader_versions=("1",))
    assert not any("graders" in note for note in build_report([first, same], build_frame([first, same])).notes)


def test_tasks_without_a_suite_are_told_apart() -> None:
    pocket = make_run(by_row(lambda row: 1), n_questions=20, tasks={"pocket_chain": "in_domain"})
    mine = make_run(by_row(lambda row: 1), name="sums", n_questions=2, tasks={"sums": "in_domain"})
    mine = replace(mine, tasks={"sums": replace(mine.tasks["sums"], suites=())})
    leads = [build_report(runs, build_frame(runs)).sections[0].lead for runs in ([pocket, mine], [mine])]
    assert leads == ["Suite pocket: pocket_chain (20 questions). Without a suite: sums (2 questions).", "sums (2 questions)."]


def test_the_share_that_a_budget_cut_is_not_that_of_budget_0() -> None:
    def cut(*budgets: Budget) -> list[str]:
        run = make_run(by_row(lambda row: 1), budgets=budgets)
        return [note for note in build_report([run], build_frame([run])).notes if "the budget cut" in note]

    assert cut(0) == cut(0, 64) == []  # at 64, no thinking of these runs is cut
    assert cut(0, 16) == ["the budget cut the thinking of up to 100.0 % of samples (pocket_chain at 16)"]


def test_a_header_says_only_what_there_is() -> None:
    run = make_run(by_row(lambda row: 1), n_samples=1, n_questions=1, engine={"dtype": "none", "device": "none"})
    report = build_report([run], build_frame([run]))
    assert "drawn by fake 0; 1 sample per question" in report.lead[0]
    assert report.sections[0].lead == "Suite pocket: pocket_chain (1 question)."


def test_a_header_names_the_settings_of_thinking_that_are_not_the_default() -> None:
    run = make_run(by_row(lambda row: 1))
    thinking = {
        "closing": {"before": "Time is up.\n", "after": "So: ", "delimiter": False}, "cut": "newline", "grace": 9,
        "min_tokens": 8, "extensions": 2, "capped_by": "engine",
    }  # fmt: skip
    protocol = {"thinking": thinking, "prompt": {"effort": "high"}, "max_total_tokens": 99}
    told = replace(run, manifest={**run.manifest, "protocol": protocol})
    lead = build_report([told], build_frame([told])).lead[0]
    for setting in (
        r"closing before 'Time is up.\n'", "closing after 'So: '", "closed without the delimiter",
        "cut at a line's end within 9 tokens", "at least 8 thinking tokens", "2 ends of thinking withheld",
        "budgets enforced by the engine", "effort high", "at most 99 tokens in all",
    ):  # fmt: skip
        assert f", {setting}" in lead


def test_one_question_has_no_interval_and_a_note_says_so() -> None:
    one, two, cluster = (make_run(by_row(lambda row: 1), n_questions=n, per_cluster=p) for n, p in ((1, 1), (2, 1), (2, 2)))
    notes = [
        [note for note in build_report([run], build_frame([run])).notes if "interval" in note] for run in (one, two, cluster)
    ]
    assert notes == [["one question: no interval"], [], ["all questions in one cluster: no interval"]]
    markdown = render_report([one], format="markdown")
    number = next(line.split(".")[0] for line in markdown.splitlines() if "one question" in line)
    assert f"25.0<sup>{number}</sup>" in markdown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.845, "85"), (0.915, "92"), (0.005, "1"), (0.8449, "84"), (0.0, "0"), (1.0, "100")]
)
def test_the_chart_rounds_every_half_up(value: float, shown: str) -> None:
    assert _bar(value).split()[1] == shown


@pytest.mark.parametrize("form", ["terminal", "markdown"])
@pytest.mark.parametrize(
    ("primary", "shown"), [("avg@n", ""), ("mg_pass_normalized@4", "mG-Pass@4 normalized"), ("g_pass@2:0.50", "G-Pass@2 τ=0.5")]
)
def test_stability_shows_the_main_columns_and_what_a_suite_calls_primary(primary: str, shown: str, form: str) -> None:
    run = make_run(by_row(lambda row: row % 5), k=[2, 4], budgets=(16,))
    suites = {"mine": {"tasks": list(run.tasks), "primary": {"metric": primary, "budget": "unlimited"}}}
    run = replace(run, manifest={**run.manifest, "suites": suites})

    def columns(full: bool) -> list[str]:
        report = build_report([run], build_frame([run]), short=form == "terminal", full=full)
        (table, *_) = [t for section in report.sections for t in section.tables if t.title.startswith("Stability")]
        return [cell.text for cell in table.header[table.n_labels :]]

    main = ["pass@4", "G-Pass@4 τ=1", "mG-Pass@4"]
    assert [name for name in columns(False) if name != shown] == main
    assert (shown in columns(False)) == bool(shown)
    assert len(columns(True)) == 16  # of each k: pass@k, four thresholds, both forms of mG-Pass@k, maj@k


def test_an_unknown_grader_beside_a_known_one_is_told() -> None:
    known, unknown = (
        replace(make_run(by_row(lambda row: 2), name=name), grader_versions=versions)
        for name, versions in (("a", ("1",)), ("b", ()))
    )
    notes = build_report([known, unknown], build_frame([known, unknown])).notes
    assert any("different graders graded the runs, a by 1, b by an unknown one" in note for note in notes)
    other = replace(make_run(by_row(lambda row: 2), name="c"), grader_versions=())
    assert not any("graders" in note for note in build_report([unknown, other], build_frame([unknown, other])).notes)
