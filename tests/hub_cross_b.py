"""Made-up rows of reasoning and instruction data sets across domains, in their columns, for the hub of tests/hub.py."""

from __future__ import annotations

from typing import Any

Rows = list[dict[str, Any]]
Tables = dict[str, list[tuple[str, str, str, Rows]]]  # id -> (config, split, path, rows)

CATEGORIES = ("cipher", "counterfactual", "logic", "operation", "puzzle")
MUSR = ("murder_mysteries", "object_placements", "team_allocation")


def kor_rules(category: str) -> Rows:
    return [{"idx": str(i), "title": f"{category} {i}", "rule_content": f"Add {i} to all.", "tag": "made up"} for i in (1, 2)]


def kor_samples(category: str) -> Rows:
    return [
        {"idx": str(i), "question": f"What is {i} {category}? Answer in [[]].", "answer": f"[[{i + 3}]]", "rule_id": rule}
        for i, rule in enumerate(("2", "1", "2"))
    ]


def zebra(number: int) -> dict[str, Any]:
    return {
        "id": f"lgp-made-up-{number}",
        "size": "2*2",
        "puzzle": f"There are 2 houses. Ann keeps a cat ({number}). Bo is in the second house and keeps a dog.",
        "solution": {"header": ["House", "Name", "Pet"], "rows": [["1", "Ann", "cat"], ["2", "Bo", "dog"]]},
        "created_at": "2026-01-01",
    }


ZEBRA: Rows = [zebra(number) for number in range(3)]
ZEBRA_MC: Rows = [
    {
        "id": f"lgp-made-up-{i}#mc",
        "puzzle": zebra(i // 2)["puzzle"],
        "question": f"Who lives in house {1 + i % 2}?",
        "choices": ["Ann", "Bo"],
        "answer": ("Ann", "Bo")[i % 2],
        "created_at": "2026-01-01",
    }
    for i in range(4)
]


def musr(split: str) -> Rows:
    return [
        {
            "narrative": f"Ann's story of {split}, part {i // 2}.",
            "question": f"Where would Ann look, {i}?",
            "choices": "['desk', \"Bo's box\", 'shelf']",
            "answer_index": i % 2,
            "answer_choice": ("desk", "Bo's box")[i % 2],
        }
        for i in range(4)
    ]


STRATEGYQA: Rows = [
    {
        "qid": f"made-up-{i}",
        "term": ("Ice", "Iron")[i % 2],
        "description": "a thing",
        "question": f"Would {('ice', 'iron')[i % 2]} float on water, {i}?",
        "answer": i % 2 == 0,
        "facts": ["It is so."],
        "decomposition": ["How heavy is it?"],
    }
    for i in range(4)
]

FOLIO: Rows = [
    {
        "story_id": i // 2,
        "premises": f"All {i // 2} cats purr.\nTom is a cat.",
        "premises-FOL": "made up",
        "conclusion": f"Tom purrs, {i}.",
        "conclusion-FOL": "made up",
        "label": label,
        "example_id": i,
    }
    for i, label in enumerate(("True", "False", "Uncertain", "Unknown"))
]

LOGIQA: Rows = [
    {
        "answer": i % 4,
        "id": i,
        "text": f"All {i // 2} pens are blue.",
        "type": "{}",
        "question": f"What follows, {i}?",
        "options": ["Some pens are blue", "No pen is blue", "All is a pen", "Nothing is blue"],
    }
    for i in range(4)
]


def told(key: Any, prompt: str, *instructions: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A row with every argument of every instruction, as None where it has none: so datasets gives it."""
    names = {name for _, given in instructions for name in given}
    kwargs = [{name: given.get(name) for name in sorted(names) or ["unused"]} for _, given in instructions]
    return {"key": key, "prompt": prompt, "instruction_id_list": [name for name, _ in instructions], "kwargs": kwargs}


IFEVAL: Rows = [
    told(
        1,
        "Describe rain without commas in at least 5 words.",
        ("punctuation:no_comma", {}),
        ("length_constraints:number_words", {"relation": "at least", "num_words": 5}),
    ),
    told(2, "Name a bird in capital letters.", ("change_case:english_capital", {})),
]
IFBENCH: Rows = [
    told("1", "Write 4 to 6 words.", ("count:word_count_range", {"min_words": 4, "max_words": 6})),
    told("2", "Say something with no white space.", ("format:no_whitespace", {})),
]


def tables() -> Tables:
    """Data set id -> its files with their configurations, splits and rows."""
    kor: list[tuple[str, str, str, Rows]] = []
    for name in CATEGORIES:
        kor += [(name, "test", f"{name}/sample.jsonl", kor_samples(name))]
        kor += [(f"{name}_rule", "test", f"{name}/rule.jsonl", kor_rules(name))]
    return {
        "m-a-p/KOR-Bench": kor,
        "WildEval/ZebraLogic": [
            ("grid_mode", "test", "grid_mode/test.parquet", ZEBRA),
            ("mc_mode", "test", "mc_mode/test.parquet", ZEBRA_MC),
        ],
        "TAUR-Lab/MuSR": [("default", split, f"{split}.jsonl", musr(split)) for split in MUSR],
        "wics/strategy-qa": [("strategyQA", "test", "test.jsonl", STRATEGYQA)],
        "yale-nlp/FOLIO": [("default", "validation", "data/validation.parquet", FOLIO)],
        "baber/logiqa2": [("logiqa2", "test", "logiqa2/test.parquet", LOGIQA)],
        "google/IFEval": [("default", "train", "ifeval_input_data.jsonl", IFEVAL)],
        "allenai/IFBench_test": [("default", "train", "IFBench_test.jsonl", IFBENCH)],
    }
