"""Rows of mathematics data sets: which ones a parser can check, which ones are about the same problem, and their targets.

Like raml_eval.tasks.docs, the YAML files name these functions, and they never use Dataset.map.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from raml_eval.tasks.docs import math_prompt, problem_of

Row = Mapping[str, Any]

# Golds that are not what the problem asks for, by the rows' ids: a lost letter, an angle's name in front of each value.
OLYMPIADBENCH_MALFORMED = (2045, 1760)
# A row of the second version of IMO-AnswerBench has shifted fields: its problem ends with the answer, its gold is the category.
IMO_CATEGORIES = ("Algebra", "Combinatorics", "Geometry", "Number theory")
# The gold's braces do not balance (medium), or it has a side condition or a modulus, which the grader does not compare (top).
# The text of high-54 is that of high-50 in zh, and the text of top-63 is that of top-62 in id: the gold is another problem's.
POLYMATH_UNCHECKED = ("medium-36", "medium-111", "high-54", "top-10", "top-63", "top-69", "top-89")

# MATH-Perturb does not name the problem that it perturbs. These rows are near copies of a MATH-500 problem of level 5: at
# least 90 % of the tokens are the same, and the next row and the next best problem stay below 75 %.
MATH_500_ORIGINALS = {
    "23": "test/counting_and_probability/525.json",
    "247": "test/precalculus/44.json",
    "260": "test/intermediate_algebra/1849.json",
    "529": "test/algebra/1796.json",
    "726": "test/prealgebra/1558.json",
    "731": "test/algebra/2427.json",
    "733": "test/algebra/686.json",
    "1207": "test/prealgebra/1961.json",
    "1739": "test/intermediate_algebra/183.json",
    "1960": "test/intermediate_algebra/2196.json",
    "2181": "test/precalculus/398.json",
    "2419": "test/counting_and_probability/894.json",
}


def in_words(gold: str) -> bool:
    """True if the gold says something in words, in Latin letters or Chinese, which may be said in other words as well.

    "and" and "or" between values do not count, nor does a gold that is one word.

    Example: in_words("n is prime") and in_words("$4k$ for odd $k$") and not in_words("0 or 4") and not in_words("CAKE")
    """
    if re.fullmatch(r"\s*[^\W\d_]+\s*", gold, re.ASCII):
        return False
    if re.search(r"\b(?:if|otherwise|where)\b", gold):  # in a formula too
        return True
    plain = re.sub(r"\$[^$]*\$", " ", gold) if gold.count("$") > 1 else gold
    plain = re.sub(r"\\(?:begin|end)\{\w+\}(?:\{[clr|]+\})?|_\{[^{}]*(?:\{[^{}]*\})?[^{}]*\}|\\[a-zA-Z]+", " ", plain)
    words = {word.lower() for word in re.findall(r"[a-zA-Z]*[a-z][a-zA-Z]*", plain) if len(word) > 2}
    return bool(words - {"and"}) or len(re.findall(r"[\u4e00-\u9fff]", gold)) > 2


def problem_key(problem: str) -> str:
    """A hash of the problem's letters and digits: the same for two copies that differ in case, spaces or punctuation.

    Example: problem_key("Is $x$ 1 ?") == problem_key("Is x 1?")
    """
    return hashlib.sha256(re.sub(r"[\W_]+", "", problem.lower()).encode()).hexdigest()[:12]


def livemathbench(dataset: Any) -> Any:
    """The rows of LiveMathBench whose gold is not in words, with the column problem_key."""
    kept = _keep(dataset, lambda row: not in_words(str(row["answer"])))
    return kept.add_column("problem_key", [problem_key(str(problem)) for problem in kept["question"]])


def olymmath(dataset: Any) -> Any:
    """OlymMATH with the column problem_key: the row's id without its language, such as OlymMATH-HARD-7."""
    return dataset.add_column("problem_key", [str(name).rpartition("-")[0] for name in dataset["unique_id"]])


def polymath(dataset: Any) -> Any:
    """The rows of PolyMath that can be checked, with the column problem_key: the row's id without its language."""
    keys = [re.sub(r"^(\w+)-\w+-(\d+)$", r"\1-\2", str(name)) for name in dataset["id"]]
    dataset = dataset.add_column("problem_key", keys)
    return _keep(dataset, lambda row: row["problem_key"] not in POLYMATH_UNCHECKED and not in_words(str(row["answer"])))


def math_perturb(dataset: Any) -> Any:
    """The rows of MATH-Perturb whose gold is not in words, with the column original.

    original is the unique_id in MATH-500 of the problem that was perturbed, or the row's problem_id if it is not among them.
    """
    names = [str(name) for name in dataset["problem_id"]]
    dataset = dataset.add_column("original", [MATH_500_ORIGINALS.get(name, name) for name in names])
    return _keep(dataset, lambda row: not in_words(str(row["answer"])))


def minerva_math(dataset: Any) -> Any:
    """The rows of Minerva's 272 problems whose gold is one formula: one is a line of Python, and one is torn apart by $ $."""
    return _keep(dataset, lambda row: "$ $" not in str(row["answer"]) and not in_words(str(row["answer"])))


def imo_answerbench(dataset: Any) -> Any:
    """The rows of IMO-AnswerBench that can be checked: not those with a gold in words or with shifted fields."""
    return _keep(dataset, lambda row: row["Short Answer"] not in IMO_CATEGORIES and not in_words(str(row["Short Answer"])))


def olympiadbench(dataset: Any) -> Any:
    """The rows of OlympiadBench that can be checked: not those with a gold in words or a malformed one."""
    return _keep(dataset, lambda row: int(row["id"]) not in OLYMPIADBENCH_MALFORMED and not in_words(olympiadbench_answer(row)))


def olympiadbench_answer(doc: Row) -> str:
    """The gold of an OlympiadBench row: all its values, with commas. A row asks for all of them, in any order."""
    return ", ".join(map(str, doc["final_answer"]))


def amo_bench(dataset: Any) -> Any:
    """The rows of AMO-Bench that a parser can check: those whose answer is not a description."""
    return _keep(dataset, lambda row: row["answer_type"] != "description")


def unboxed_answer(doc: Row) -> str:
    r"""The row's answer without the \boxed{} around it, if there is one.

    Example: unboxed_answer({"answer": "\\boxed{7}"}) == "7"
    """
    answer = str(doc["answer"]).strip().strip("$").strip()
    boxed = re.fullmatch(r"\\boxed\{(.*)\}", answer, re.DOTALL)
    return boxed[1] if boxed else answer


def math_prompt_zh(doc: Row) -> str:
    """The problem, and in Chinese the instruction to put the answer into a box."""
    return f"{problem_of(doc)}\n\n请逐步推理，并将最终答案放在 \\boxed{{}} 中。"


def livemathbench_prompt(doc: Row) -> str:
    """The problem with the instruction in its own language, which the column language names: en or cn."""
    return math_prompt_zh(doc) if doc["language"] == "cn" else math_prompt(doc)


def _keep(dataset: Any, wanted: Callable[[Row], bool]) -> Any:
    kept: Sequence[int] = [index for index, row in enumerate(dataset) if wanted(row)]
    return dataset.select(kept)
