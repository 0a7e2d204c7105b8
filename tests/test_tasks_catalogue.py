"""The catalogue of tasks and suites: what ships, what a user adds, and what is refused and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from raml_eval.errors import TaskError
from raml_eval.tasks.catalogue import load_catalogue, tasks_dir
from raml_eval.tasks.rules import primary_of
from raml_eval.tasks.sources import is_source_name
from raml_eval.tasks.task_file import FunctionName
from raml_eval.types import Primary, Suite
from raml_eval.window import is_date
from tests import hub_cross_a
from tests.hub_math import LANGUAGES

TASK = """
task: mine
dataset_path: someone/rows
test_split: test
doc_to_text: question
doc_to_target: answer
generation_kwargs: {until: []}
metadata:
  version: 1
  raml: {domain: in_domain, grader: math, answer_format: a number, source: mine, licence: MIT, revision: main}
"""

HUB_TASKS = ["aime24", "math500", "math500_l5", "gsm8k", "gpqa_diamond", "mmlu_pro", "arc_challenge"]
POLYMATH_TASKS = [f"polymath_{name}" for name in LANGUAGES]
MATH_TASKS = [
    *("aime25", "aime26", "amc23", "amo_bench", "beyond_aime", "brumo25", "cmimc25", "gsm8k_platinum", "hmmt_feb25"),
    *("hmmt_feb26", "hmmt_nov25", "imo_answerbench", "imo_answerbench_v1", "livemathbench_cn", "livemathbench_en"),
    *("livemathbench_hard", "livemathbench_hard_cn", "livemathbench_hard_en", "math_perturb_hard", "math_perturb_simple"),
    *("minerva_math_272", "olymmath_en_easy", "olymmath_en_hard", "olymmath_zh_easy", "olymmath_zh_hard"),
    *("olympiadbench", "smt25", *POLYMATH_TASKS),
]
KOR_BENCH_TASKS = [f"kor_bench_{name}" for name in ("cipher", "counterfactual", "logic", "operation", "puzzle")]
MUSR_TASKS = [f"musr_{name}" for name in ("murder_mysteries", "object_placements", "team_allocation")]
CROSS_A_TASKS = [
    *("bbeh", "gpqa_main", "livecodebench_v6", "supergpqa"),
    *(f"bbh_{name}" for name in (*hub_cross_a.OPTIONS, *hub_cross_a.LABELS, *hub_cross_a.NUMBERS, *hub_cross_a.TEXTS)),
]
CROSS_B_TASKS = [
    *("folio", "ifbench", "ifeval", "logiqa2", "strategyqa", "zebralogic_grid", "zebralogic_mc"),
    *(*KOR_BENCH_TASKS, *MUSR_TASKS),
]
CODE_TASKS = ["humaneval", "humaneval_plus", "mbpp", "mbpp_plus", "livecodebench"]
POCKET_TASKS = ["pocket_chain", "pocket_chain_long", "pocket_sort", "pocket_logic"]


def write_task(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_task_and_suite_is_usable() -> None:
    catalogue = load_catalogue()
    shipped = sorted(name for name in catalogue.tasks if not is_source_name(name))
    assert shipped == sorted(HUB_TASKS + MATH_TASKS + CROSS_A_TASKS + CROSS_B_TASKS + CODE_TASKS + POCKET_TASKS)
    assert catalogue.unusable == {}
    assert catalogue.suites["math"] == ("aime24", "math500_l5", "gsm8k")
    assert catalogue.suites["pocket"] == tuple(POCKET_TASKS)
    assert catalogue.suites["code"] == tuple(CODE_TASKS)
    assert catalogue.suites["kor_bench"] == tuple(KOR_BENCH_TASKS)
    assert catalogue.suites["musr"] == tuple(MUSR_TASKS)
    assert catalogue.suites["polymath"] == tuple(POLYMATH_TASKS)
    assert catalogue.suites["raml_cross_domain"] == ("gpqa_diamond", "livecodebench")


@pytest.mark.parametrize(
    ("name", "domain", "grader", "dataset", "config", "split"),
    [
        ("aime24", "in_domain", "math", "HuggingFaceH4/aime_2024", None, "train"),
        ("math500", "in_domain", "math", "HuggingFaceH4/MATH-500", None, "test"),
        ("math500_l5", "in_domain", "math", "HuggingFaceH4/MATH-500", None, "test"),
        ("gsm8k", "in_domain", "math", "openai/gsm8k", "main", "test"),
        ("aime26", "in_domain", "math", "MathArena/aime_2026", None, "train"),
        ("imo_answerbench", "in_domain", "math", "Hwilner/imo-answerbench", "v2", "train"),
        ("livemathbench_hard", "in_domain", "math", "opencompass/LiveMathBench", None, "test"),
        ("math_perturb_hard", "in_domain", "math", "Kaffaljidhmah2/MATH-Perturb", None, "hard"),
        ("olymmath_zh_easy", "in_domain", "math", "RUC-AIBOX/OlymMATH", "zh-easy", "test"),
        ("kor_bench_cipher", "cross_domain", "bracket", "m-a-p/KOR-Bench", None, "test"),
        ("zebralogic_grid", "cross_domain", "grid", "WildEval/ZebraLogic", "grid_mode", "test"),
        ("zebralogic_mc", "cross_domain", "choice", "WildEval/ZebraLogic", "mc_mode", "test"),
        ("musr_team_allocation", "cross_domain", "choice", "TAUR-Lab/MuSR", None, "team_allocation"),
        ("strategyqa", "cross_domain", "label", "wics/strategy-qa", "strategyQA", "test"),
        ("folio", "cross_domain", "label", "yale-nlp/FOLIO", None, "validation"),
        ("logiqa2", "cross_domain", "choice", "baber/logiqa2", "logiqa2", "test"),
        ("ifeval", "cross_domain", "task_rule", "google/IFEval", None, "train"),
        ("polymath_sw", "in_domain", "math", "Qwen/PolyMath", None, "test"),
        ("gpqa_diamond", "cross_domain", "choice", "Idavidrein/gpqa", "gpqa_diamond", "train"),
        ("mmlu_pro", "cross_domain", "choice", "TIGER-Lab/MMLU-Pro", None, "test"),
        ("arc_challenge", "cross_domain", "choice", "allenai/ai2_arc", "ARC-Challenge", "test"),
        ("humaneval", "cross_domain", "code", "openai/openai_humaneval", "openai_humaneval", "test"),
        ("mbpp", "cross_domain", "code", "google-research-datasets/mbpp", "full", "test"),
        ("mbpp_plus", "cross_domain", "code", "evalplus/mbppplus", None, "test"),
        ("livecodebench", "cross_domain", "code", "livecodebench/code_generation_lite", None, "test"),
        ("pocket_chain", "in_domain", "math", "pocket_chain/questions.jsonl", None, "test"),
        ("pocket_sort", "cross_domain", "exact", "pocket_sort/questions.jsonl", None, "test"),
        ("pocket_logic", "cross_domain", "choice", "pocket_logic/questions.jsonl", None, "test"),
    ],
)
def test_description(name: str, domain: str, grader: str, dataset: str, config: str | None, split: str) -> None:
    task = load_catalogue().tasks[name]
    found = (task.domain, task.grader, task.dataset, task.config, task.split)
    assert found == (domain, grader, dataset, config, split)
    assert task.licence
    assert task.source


def test_a_task_knows_its_suites() -> None:
    assert load_catalogue().tasks["aime24"].suites == ("math", "raml", "raml_extended", "raml_in_domain")


def test_expand_keeps_the_order_and_drops_doubles() -> None:
    catalogue = load_catalogue()
    assert catalogue.expand(["gsm8k", "math", "aime24"]) == ["gsm8k", "aime24", "math500_l5"]
    with pytest.raises(TaskError, match=r"no task or suite 'gsm8'\. Did you mean gsm8k\?"):
        catalogue.expand(["gsm8"])


def test_the_index_agrees_with_lm_eval() -> None:
    from lm_eval.tasks import TaskManager

    def plain(value: object) -> object:
        if isinstance(value, FunctionName):
            return str(value.folder / value)
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    catalogue = load_catalogue()
    index = TaskManager(include_path=[tasks_dir()], include_defaults=False).task_index
    files = {name: file for name, file in catalogue.files.items() if not is_source_name(name)}
    assert set(index) == {*files, *catalogue.suites}
    for name, file in files.items():
        assert plain(dict(file.config)) == index[name].cfg
    for name, members in catalogue.suites.items():
        assert list(members) == index[name].cfg["task"]
        assert primary_of(index[name].cfg) == catalogue.primary[name]


def test_listing_takes_no_heavy_import() -> None:
    code = (
        "import sys; from raml_eval.tasks.catalogue import load_catalogue; load_catalogue();"
        "print(sorted({'datasets', 'lm_eval', 'huggingface_hub', 'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_folder_adds_tasks_and_nested_suites(tmp_path: Path) -> None:
    write_task(tmp_path, "a/mine", TASK)
    write_task(tmp_path, "inner", "group: inner\ntask: [mine, gsm8k]\n")
    write_task(tmp_path, "outer", "group: outer\ntask: [pocket_sort, inner, mine]\n")
    catalogue = load_catalogue([tmp_path])
    assert catalogue.expand(["outer"]) == ["pocket_sort", "mine", "gsm8k"]
    assert catalogue.tasks["mine"].suites == ("inner", "outer")
    one_file = load_catalogue([tmp_path / "a" / "mine.yaml"])
    assert one_file.expand(["mine"]) == ["mine"]
    assert load_catalogue([tasks_dir()]).unusable == {}


SUITE = "group: mine\ntask: [gsm8k]\nmetadata: {version: 1, raml: %s}\n"


def test_every_shipped_suite_declares_its_primary_endpoint() -> None:
    catalogue = load_catalogue()
    assert catalogue.primary == dict.fromkeys(catalogue.suites, Primary("avg@n", "unlimited"))


@pytest.mark.parametrize(
    ("declared", "wanted"),
    [
        ("{metric: pass@8, budget: 512}", Primary("pass@8", 512)),
        ("{metric: g_pass@8:0.5, budget: off}", Primary("g_pass@8:0.5", "off")),  # YAML reads off as false
        ("{metric: avg@n, budget: '64'}", Primary("avg@n", 64)),
    ],
)
def test_a_suite_declares_a_primary_endpoint(tmp_path: Path, declared: str, wanted: Primary) -> None:
    write_task(tmp_path, "mine", SUITE % f"{{primary: {declared}}}")
    write_task(tmp_path, "other", "group: other\ntask: [gsm8k]\n")
    catalogue = load_catalogue([tmp_path])
    assert catalogue.unusable == {}
    assert catalogue.suites_among(["other", "gsm8k", "mine"]) == {"other": Suite(("gsm8k",)), "mine": Suite(("gsm8k",), wanted)}


@pytest.mark.parametrize(
    ("raml", "said"),
    [
        ("{primry: 1}", "primry is not a field of a suite; the fields are about, primary. Did you mean primary"),
        ("{primary: avg@n}", "primary is 'avg@n'; it must be {metric"),
        ("{primary: }", "primary is None; it must be {metric"),
        ("{primary: {metric: avg@n}}", "primary is metric; it must be {metric"),
        ("{primary: {metric: avg@n, budget: 1, k: 8}}", "primary is metric, budget, k; it must be"),
        ("{primary: {metric: pass@k, budget: off}}", "metric is 'pass@k'; it must be one such as avg@n"),
        ("{primary: {metric: 8, budget: off}}", "metric is 8; it must be"),
        ("{primary: {metric: avg@n, budget: none}}", "budget is 'none'; it must be unlimited, a number of tokens or off"),
        ("{primary: {metric: avg@n, budget: '1,2'}}", "budget is '1,2'; it must be"),
        ("{primary: {metric: avg@n, budget: true}}", "budget is True; it must be"),
        ("{primary: {metric: avg@n, budget: effort:low}}", "budget is 'effort:low'; it must be"),
        ("{primary: {metric: avg@n, budget: [1]}}", r"budget is \[1\]; it must be"),
    ],
)
def test_a_primary_endpoint_that_nobody_could_read_is_refused(tmp_path: Path, raml: str, said: str) -> None:
    write_task(tmp_path, "mine", SUITE % raml)
    with pytest.raises(TaskError, match=said):
        load_catalogue([tmp_path]).expand(["mine"])


def test_includes_merge_and_count_for_the_digest(tmp_path: Path) -> None:
    write_task(tmp_path, "mine", "include: _shared\ntask: mine\ntest_split: other\n")
    shared = tmp_path / "_shared"
    shared.write_text(TASK, encoding="utf-8")
    before = load_catalogue([tmp_path]).tasks["mine"]
    assert before.split == "other"
    shared.write_text(TASK + "# a remark\n", encoding="utf-8")
    assert load_catalogue([tmp_path]).tasks["mine"].digest != before.digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TASK.replace("in_domain", "everywhere"), "domain is 'everywhere'; it must be one of in_domain, cross_domain"),
        (TASK.split("metadata")[0], r"metadata\.raml is missing: add .*domain, grader"),
        (TASK + "output_type: multiple_choice\n", "output_type is multiple_choice"),
        (TASK + "output_type: loglikelihood\n", "output_type is loglikelihood"),
        (TASK + "gen_prefix: 'So '\n", "gen_prefix writes the start of the answer"),
        (TASK + "doc_to_image: picture\n", "images"),
        (TASK + "class: !function code.Mine\n", "a task in Python code"),
        (TASK + "filter_list: [{name: m, filter: [{function: majority_vote}]}]\n", "majority_vote merges several"),
        (TASK + "task: [broken\n", "not valid YAML"),
        (TASK + "test_split: again\n", "test_split occurs twice"),
        (TASK + "include: nowhere\n", "cannot be read"),
        (TASK.replace("revision: main", "revision: abc"), "dataset_kwargs.revision fetches 'main'"),
        ("group: mine\ntask: [mine]\n", "lists mine"),
        ("group: mine\ntask: [gsm8]\n", r"lists gsm8, and there is no such task\. Did you mean gsm8k"),
        ("group: mine\ntask: [{task: gsm8k, repeats: 4}]\n", "is not a plain name"),
        ("group: mine\nrepeats: 4\ntask: [gsm8k]\n", "repeats would change every member"),
        ("tusk: mine\n", "neither a task: nor a group: key"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_when_asked_for(tmp_path: Path, text: str, words: str) -> None:
    write_task(tmp_path, "mine", text)
    catalogue = load_catalogue([tmp_path])
    assert catalogue.expand(["gsm8k"]) == ["gsm8k"]
    with pytest.raises(TaskError, match=words):
        catalogue.expand(["mine"])


def test_a_name_in_two_files_is_refused(tmp_path: Path) -> None:
    path = write_task(tmp_path, "other", TASK.replace("mine", "gsm8k", 1))
    catalogue = load_catalogue([tmp_path])
    with pytest.raises(TaskError, match=f"two files declare its name, {path} and"):
        catalogue.expand(["gsm8k"])
    with pytest.raises(TaskError, match="two files declare its name"):
        catalogue.expand(["math"])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="does not exist"):
        load_catalogue([tmp_path / "nowhere"])


def test_a_tag_is_a_suite_and_a_group_may_list_it(tmp_path: Path) -> None:
    write_task(tmp_path, "one", TASK.replace("task: mine", "task: one\ntag: [sums, all_mine]"))
    write_task(tmp_path, "two", TASK.replace("task: mine", "task: two\ntag: sums"))
    write_task(tmp_path, "suite", "group: both\ntask: [sums, gsm8k]\nmetadata: {version: 1}\n")
    catalogue = load_catalogue([tmp_path])
    assert catalogue.suites["both"] == ("one", "two", "gsm8k")
    assert catalogue.expand(["sums", "all_mine"]) == ["one", "two"]


def test_a_bare_yes_or_no_of_redistribute_and_a_bare_day_are_read(tmp_path: Path) -> None:
    for name, said in (("a", "yes"), ("b", "no"), ("c", "non_commercial"), ("d", "'no'")):
        more = f"licence: MIT, redistribute: {said}, date: 2025-02-15"
        write_task(tmp_path, name, TASK.replace("task: mine", f"task: {name}").replace("licence: MIT", more))
    tasks = load_catalogue([tmp_path]).tasks
    assert [tasks[name].redistribute for name in "abcd"] == ["yes", "no", "non_commercial", "no"]


def test_a_suite_may_say_what_it_is(tmp_path: Path) -> None:
    assert "1.4 million tokens" in load_catalogue().about["quick"]
    write_task(tmp_path, "suite", "group: mine\ntask: gsm8k\nmetadata: {version: 1, raml: {about: 3}}\n")
    assert "metadata.raml.about is 3; it must be a text" in load_catalogue([tmp_path]).unusable["mine"]


def test_the_suites_of_the_paper_hold_both_domains() -> None:
    catalogue = load_catalogue()
    assert catalogue.suites["raml"] == (*catalogue.suites["raml_in_domain"], *catalogue.suites["raml_cross_domain"])
    assert set(catalogue.suites["raml"]) < set(catalogue.suites["raml_extended"])
    for name, domain in (("raml_in_domain", "in_domain"), ("raml_cross_domain", "cross_domain")):
        assert {catalogue.tasks[task].domain for task in catalogue.suites[name]} == {domain}


def test_fresh_tasks_have_dates() -> None:
    catalogue = load_catalogue()
    dates = [catalogue.tasks[name].date for name in catalogue.suites["fresh"]]
    assert dates == sorted(dates)
    assert all(map(is_date, dates))
