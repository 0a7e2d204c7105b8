"""What a user says about an import, and how each task is graded as a result."""

from __future__ import annotations

import pytest

from raml_eval.errors import ConfigError, SourceError, TaskError
from raml_eval.importing.samples import ImportedSample, TaskFacts
from raml_eval.importing.settings import ImportSettings, build_settings, check_names, choose_grading, parse_budget
from raml_eval.tasks.catalogue import load_catalogue


def sample(grader: str | None = None, options: tuple[str, ...] = ()) -> ImportedSample:
    facts = TaskFacts("theirs", grader=grader)  # type: ignore[arg-type]
    return ImportedSample(facts, "0-abcdef", 0, (), ("A",), "text", options=options)


def test_words_of_the_command_line_become_settings() -> None:
    settings = build_settings(["math", "a|0=choice"], ["x=y=ours"], "1024", tasks=("t",), limit=3)
    assert settings == ImportSettings(
        tasks=("t",), graders={"a|0": "choice"}, grader="math", task_map={"x=y": "ours"}, limit=3, budget=1024
    )


@pytest.mark.parametrize(
    ("graders", "task_map", "reason"),
    [
        (["maths"], [], r"--grader: there is no grader 'maths' for logs\. Did you mean math\?"),
        (["t=code"], [], "there is no grader 'code' for logs"),
        (["math", "exact"], [], "--grader names math, exact for all tasks, wanted one"),
        ([], ["gsm8k"], "--task-map needs THEIRS=OURS"),
        ([], ["x="], "--task-map needs THEIRS=OURS"),
    ],
)
def test_words_of_another_form_are_refused(graders: list[str], task_map: list[str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        build_settings(graders, task_map)


def test_budgets() -> None:
    assert [parse_budget(text) for text in ("off", "unlimited", "0", "4096")] == ["off", "unlimited", 0, 4096]
    with pytest.raises(ConfigError, match="--thinking-budget is '1k'"):
        parse_budget("1k")


def test_a_name_that_the_log_lacks_is_refused_for_each_option() -> None:
    check_names(ImportSettings(tasks=("a",), graders={"b": "math"}), ["a", "b"])
    for settings, option in (
        (ImportSettings(tasks=("gsm8",)), "--task"),
        (ImportSettings(graders={"gsm8": "math"}), "--grader"),
        (ImportSettings(task_map={"gsm8": "gsm8k"}), "--task-map"),
    ):
        with pytest.raises(ConfigError, match=rf"{option} names 'gsm8', .* Did you mean gsm8k\? It holds: gsm8k, aime"):
            check_names(settings, ["gsm8k", "aime"])


@pytest.mark.parametrize(
    ("settings", "of_log", "options", "kind"),
    [
        (ImportSettings(graders={"theirs": "exact"}, task_map={"theirs": "mmlu_pro"}), "math", ("x", "y"), "exact"),
        (ImportSettings(task_map={"theirs": "mmlu_pro"}), "math", (), "choice"),
        (ImportSettings(grader="exact"), "math", ("x", "y"), "math"),
        (ImportSettings(grader="exact"), None, ("x", "y"), "choice"),
        (ImportSettings(grader="exact"), None, (), "exact"),
    ],
)
def test_the_first_that_says_it_decides(
    settings: ImportSettings, of_log: str | None, options: tuple[str, ...], kind: str
) -> None:
    assert choose_grading(sample(of_log, options), settings, load_catalogue()).kind == kind


def test_a_mapped_task_takes_our_name_and_description() -> None:
    grading = choose_grading(sample(), ImportSettings(task_map={"theirs": "gsm8k"}), load_catalogue())
    assert (grading.name, grading.ours and grading.ours.licence) == ("gsm8k", "MIT")
    assert choose_grading(sample("math"), ImportSettings(), None).name == "theirs"


def test_a_task_that_nothing_says_how_to_grade() -> None:
    with pytest.raises(SourceError, match=r"does not say how task theirs is graded\. Give --grader theirs=KIND"):
        choose_grading(sample(), ImportSettings(), None)


def test_a_task_of_ours_that_is_not_there_or_a_suite() -> None:
    with pytest.raises(TaskError, match="there is no task or suite 'gsm8kk'"):
        choose_grading(sample(), ImportSettings(task_map={"theirs": "gsm8kk"}), load_catalogue())
    with pytest.raises(ConfigError, match="maps theirs to pocket, which is a suite"):
        choose_grading(sample(), ImportSettings(task_map={"theirs": "pocket"}), load_catalogue())


def test_a_grader_of_the_log_that_needs_more_than_a_log_holds() -> None:
    with pytest.raises(ConfigError, match="task theirs: there is no grader 'code' for logs"):
        choose_grading(sample("code"), ImportSettings(), None)
