"""Made-up rows of the mathematics data sets, in their columns, for the hub of tests/hub.py."""

from __future__ import annotations

from typing import Any

Rows = list[dict[str, Any]]
Tables = dict[str, list[tuple[str, str, str, Rows]]]  # id -> (config, split, path, rows)

CONTESTS = ("aime_2026", "hmmt_feb_2025", "hmmt_nov_2025", "hmmt_feb_2026", "brumo_2025", "cmimc_2025", "smt_2025")
LEVELS = ("top", "high", "medium", "low")
LANGUAGES = ["ar", "bn", "de", "en", "es", "fr", "id", "it", "ja", "ko", "ms", "pt", "ru", "sw", "te", "th", "vi", "zh"]


def contest(name: str) -> Rows:
    return [
        {"problem_idx": i, "answer": str(3 * i), "problem": f"{name}: what is $3 \\cdot {i}$?", "problem_type": ["Algebra"]}
        for i in range(1, 5)
    ]


def live(part: str, language: str) -> Rows:
    """Four rows; the gold of the last one is a sentence."""
    ask = "求值" if language == "cn" else "Find the value of"
    rows = [
        {"question": f"{ask} ${i}+1$ ({part} {i}).", "answer": f"${i + 1}$", "question_type": "problem-solving", "options": ""}
        for i in range(3)
    ]
    said = "直线和圆相切" if language == "cn" else "The line touches the circle."
    return [*rows, {**rows[0], "question": f"{ask} ({part} 3).", "answer": said}]


OLYMPIADBENCH: Rows = [
    {
        "id": 1500 + i,
        "subfield": ("Algebra", "Geometry")[i % 2],
        "context": None,
        "question": f"Solve $(x-{i})(x-9)=0$.",
        "final_answer": [f"${i}$,$9$"],
        "is_multiple_answer": True,
        "unit": None,
        "answer_type": "Numerical",
        "error": None,
    }
    for i in range(4)
] + [
    {
        "id": 1760,
        "subfield": "Geometry",
        "context": None,
        "question": "Which angle?",
        "final_answer": ["$\\angle A=1$"],
        "is_multiple_answer": False,
        "unit": None,
        "answer_type": "Numerical",
        "error": None,
    }
]

AMO: Rows = [
    {
        "question_id": i,
        "prompt": f"What is $2 \\cdot {i}$?",
        "solution": "Double it.",
        "answer": f"\\boxed{{{2 * i}}}",
        "answer_type": kind,
    }
    for i, kind in enumerate(("number", "set", "variable", "description"))
]

PLATINUM: Rows = [
    {"question": f"Bo has {i} caps and buys 2000.", "answer": f"Add.\n#### {i + 2000:,}", "cleaning_status": "consensus"}
    for i in range(4)
]

IMO: Rows = [
    {
        "Problem ID": f"imo-bench-made-up-{i:03d}",
        "Problem": f"Find all $n$ with $n+{i}=9$.",
        "Short Answer": gold,
        "Category": "Algebra",
        "Subcategory": "Sums",
        "Source": "made up",
    }
    for i, gold in enumerate(("$9$", "8", "odd $n$", "Algebra"))
]


def perturb(kind: str) -> Rows:
    return [
        {
            "problem_id": name,
            "problem": f"Which {kind} number is ${name}/7$?",
            "answer": gold,
            "level": "Level 5",
            "type": "Algebra",
            "original_split": "test",
        }
        for name, gold in (("1", "\\frac{1}{7}"), ("23", "\\frac{23}{7}"), ("24", "does not exist"))
    ]


def olym(language: str, difficulty: str) -> Rows:
    return [
        {
            "problem": f"{language} {difficulty} ${i}$",
            "answer": f"\\sqrt{{{i + 2}}}",
            "subject": "Algebra",
            "unique_id": f"OlymMATH-{difficulty.upper()}-{i}-{language.upper()}",
        }
        for i in range(3)
    ]


def poly(language: str, level: str) -> Rows:
    return [{"id": f"{level}-{language}-{i}", "question": f"{language} {level} ${i}$", "answer": f"${i}$"} for i in (0, 1, 111)]


def tables() -> Tables:
    """Data set id -> its files with their configurations, splits and rows."""
    simple = [{"problem": f"What is ${i}^2$?", "answer": str(i * i), "id": str(i)} for i in range(3)]
    asked = [{"id": row["id"], "question": row["problem"], "answer": row["answer"], "url": ""} for row in simple]
    beyond = [{"problem": row["problem"], "answer": int(row["answer"])} for row in simple]
    minerva = [{"question": "Say $1.5$.", "answer": "1.5"}, {"question": "Say it.", "answer": "np.arcsin(10/13)"}]
    lines: Tables = {f"MathArena/{name}": [("default", "train", "data/train.parquet", contest(name))] for name in CONTESTS}
    return lines | {
        "math-ai/aime25": [("default", "test", "test.jsonl", simple)],
        "math-ai/amc23": [("default", "test", "test.jsonl", asked)],
        "math-ai/minervamath": [("default", "test", "test.jsonl", minerva)],
        "math-ai/olympiadbench": [("default", "test", "test.jsonl", OLYMPIADBENCH)],
        "ByteDance-Seed/BeyondAIME": [("default", "test", "test.parquet", beyond)],
        "madrylab/gsm8k-platinum": [("main", "test", "main/test.parquet", PLATINUM)],
        "meituan-longcat/AMO-Bench": [("default", "test", "test.jsonl", AMO)],
        "Hwilner/imo-answerbench": [(c, "train", f"{c}.parquet", IMO) for c in ("default", "v2")],
        "Kaffaljidhmah2/MATH-Perturb": [("default", kind, f"{kind}.jsonl", perturb(kind)) for kind in ("simple", "hard")],
        "RUC-AIBOX/OlymMATH": [
            (f"{lang}-{hard}", "test", f"{lang}-{hard}.jsonl", olym(lang, hard))
            for lang in ("en", "zh")
            for hard in ("easy", "hard")
        ],
        "Qwen/PolyMath": [(lang, lv, f"{lang}/{lv}.parquet", poly(lang, lv)) for lang in LANGUAGES for lv in LEVELS],
        "opencompass/LiveMathBench": [
            (f"v202412_{part}_{lang}", "test", f"{part}_{lang}.parquet", live(part, lang))
            for part in ("CNMO", "CCEE", "AMC", "WLPMC", "hard")
            for lang in ("en", "cn")
        ],
    }
