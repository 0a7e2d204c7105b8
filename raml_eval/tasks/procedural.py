"""Tasks whose rows the package reasoning-gym generates: reasoning_gym:NAME?size=200&seed=7 and any setting of the generator.

Stojanovski et al. 2025, arXiv:2505.24760. The rows come from a process of their own (procedural_rows.py). Nothing here imports
the package, so that a catalogue with such tasks is read in milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from raml_eval.errors import TaskError, near_names
from raml_eval.progress import Progress
from raml_eval.tasks.task_file import TaskFile
from raml_eval.wording import count_noun

VERSION = "0.1.25"
SIZE, SEED = 100, 0  # what a name without them means; part of what every run is called, so they never change
LARGEST_SIZE = 100_000
GENERATING_LIMIT_S = 600.0

# The generators by the package's own categories, that is by its folders.
CATEGORIES: Mapping[str, str] = {
    "algebra": "complex_arithmetic intermediate_integration polynomial_equations polynomial_multiplication simple_equations "
    "simple_integration",
    "algorithmic": "ab base_conversion binary_alternation binary_matrix caesar_cipher count_primes cryptarithm game_of_life "
    "game_of_life_halting graph_color group_anagrams isomorphic_strings jugs letter_counting letter_jumble manipulate_matrix "
    "number_filtering number_sorting palindrome_generation palindrome_partitioning pool_matrix ransom_note rotate_matrix "
    "rotten_oranges sentence_reordering spell_backward spiral_matrix string_insertion string_manipulation string_splitting "
    "string_synthesis word_ladder word_sequence_reversal word_sorting",
    "arc": "arc_1d arc_agi rearc",
    "arithmetic": "basic_arithmetic bitwise_arithmetic calendar_arithmetic chain_sum count_bits decimal_arithmetic "
    "decimal_chain_sum dice fraction_simplification gcd gsm_symbolic lcm leg_counting number_format power_function "
    "prime_factorization products time_intervals",
    "code": "bf codeio",
    "cognition": "color_cube_rotation figlet_font modulo_grid needle_haystack number_sequence rectangle_count rubiks_cube",
    "composite": "composite",
    "games": "boxnet countdown emoji_mystery futoshiki kakurasu knight_swap mahjong_puzzle maze mini_sudoku n_queens puzzle24 "
    "rush_hour sokoban sudoku survo tower_of_hanoi tsumego",
    "geometry": "advanced_geometry simple_geometry",
    "graphs": "course_schedule family_relationships largest_island path_star quantum_lock shortest_path",
    "induction": "acre list_functions",
    "logic": "aiw circuit_logic knights_knaves propositional_logic self_reference syllogism zebra_puzzles",
    "probability": "coin_flip",
}
IN_DOMAIN = ("algebra", "arithmetic", "geometry")
CATEGORY_OF = {name: category for category, names in CATEGORIES.items() for name in names.split()}

_NO_ANSWER = "its rows state no answer of their own, so nothing shows that its verifier accepts a right one"
_NO_REPEAT = "its rows differ from one generation to the next under the same seed"
_TUPLES = "its verifier compares tuples, which do not survive being stored as JSON, and would reject every answer"
REFUSED: Mapping[str, str] = {
    "ab": "the answer to some of its rows is the empty text, which no completion can be read to give",
    "acre": "its rows depend on how many are generated, so a larger size is another task",
    "arc_agi": _TUPLES,
    "boxnet": _NO_ANSWER,
    "codeio": _NO_REPEAT,
    "coin_flip": "its verifier accepts 0 and every beginning of the right number",
    "composite": "it mixes other generators, whose settings do not fit into a name; name them one by one",
    "game_of_life_halting": "its verifier accepts any answer that is not empty",
    "graph_color": _NO_ANSWER,
    "gsm_symbolic": "its verifier reads the first number of an answer without its sign, so that -20 is 20",
    "intermediate_integration": "sympy leaves some integrals unsolved, and the answers of such rows are the integral itself",
    "list_functions": _NO_REPEAT,
    "propositional_logic": _NO_ANSWER,
    "puzzle24": "its verifier accepts any four numbers in range that make 24, whatever numbers the question gives",
    "rearc": _TUPLES,
    "rubiks_cube": _NO_ANSWER,
    "rush_hour": _NO_ANSWER,
}

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from raml_eval.tasks.procedural_rows import write_rows; write_rows(json.loads(sys.argv[2]))"
)


def generated_names() -> list[str]:
    """The names of all generators that can be used, with their defaults.

    Example: "reasoning_gym:chain_sum" in generated_names()
    """
    return [f"reasoning_gym:{generator}" for generator in CATEGORY_OF if generator not in REFUSED]


def read_task(rest: str) -> TaskFile:
    """The task of a name without its prefix, such as chain_sum?size=200&seed=7; nothing is generated.

    Its canonical name has the parameters in order, without a size and a seed that are the defaults. Settings of the generator
    are checked when the rows are generated. Raises TaskError for a generator that is unknown or refused, and for a bad size or
    seed.
    """
    generator, _, query = rest.partition("?")
    if generator not in CATEGORY_OF:
        near = near_names(generator, CATEGORY_OF)
        raise TaskError(
            f"reasoning-gym {VERSION} has no generator {generator!r}.{near} `raml-eval tasks list reasoning_gym:` lists them."
        )
    if generator in REFUSED:
        raise TaskError(f"reasoning_gym:{generator} cannot be used: {REFUSED[generator]}. Name another generator.")
    settings = _read_parameters(generator, query)
    size = _whole(generator, "size", settings.pop("size", str(SIZE)), 1)
    seed = _whole(generator, "seed", settings.pop("seed", str(SEED)), 0)
    if size > LARGEST_SIZE:
        raise TaskError(f"reasoning_gym:{generator} is asked for size {size}; wanted at most {LARGEST_SIZE}.")
    named = {**settings, **({"size": str(size)} if size != SIZE else {}), **({"seed": str(seed)} if seed != SEED else {})}
    name = "&".join(f"{key}={_escape(value)}" for key, value in sorted(named.items()))
    name = f"reasoning_gym:{generator}" + (f"?{name}" if name else "")
    config = _task_keys(name, generator, {"generator": generator, "size": size, "seed": seed, "settings": settings})
    digest = hashlib.sha256(json.dumps([name, VERSION, _INSTRUCTION, config["metadata"]], sort_keys=True).encode()).hexdigest()
    return TaskFile(Path(__file__), config, digest, made=True)


def _read_parameters(generator: str, query: str) -> dict[str, str]:
    """The parameters of a name as texts; %2C and its like are the characters that they stand for."""
    parameters: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if not (name and equals and value) or name in parameters:
            raise TaskError(
                f"the parameters {query!r} of reasoning_gym:{generator} are not name=value&name=value with each name once, "
                f"because of {part!r}. Correct the name, and quote it for the shell."
            )
        parameters[name] = unquote(value)
    return parameters


def _escape(value: str) -> str:
    for mark in "%&,":  # a comma would separate names of tasks
        value = value.replace(mark, f"%{ord(mark):02X}")
    return value


def _whole(generator: str, field: str, text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) >= least):
        raise TaskError(f"reasoning_gym:{generator} is asked for {field} {text!r}; wanted a whole number from {least} up.")
    return int(text)


def _task_keys(name: str, generator: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    category = CATEGORY_OF[generator]
    return {
        "task": name,
        "custom_dataset": load_rows,
        "dataset_kwargs": {"wanted": dict(wanted)},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": prompt,
        "doc_to_target": "answer",
        "generation_kwargs": {"until": []},
        "metric_list": [{"metric": "bypass"}],
        "metadata": {
            "version": 1,
            "raml": {
                "domain": "in_domain" if category in IN_DOMAIN else "cross_domain",
                "grader": "task_rule",
                "answer_format": "as the question asks for, between <answer> and </answer>",
                "source": f"reasoning-gym, generator {generator} ({category}); arXiv:2505.24760",
                "licence": "Apache-2.0",
                "revision": VERSION,
                "tests": "tests",
                # Seeds overlap (row 1 of seed 7 is row 0 of seed 8), and some generators repeat a question.
                "cluster": "cluster",
                "family": f"reasoning_gym:{generator}",
                "redistribute": "yes",
            },
        },
    }


_INSTRUCTION = (
    "Please reason step by step, and put your final answer, in the form that is asked for and with nothing else, between "
    "<answer> and </answer>."
)


def prompt(doc: Mapping[str, Any]) -> str:
    """The generator's question, and where to put the answer."""
    return f"{doc['question']}\n\n{_INSTRUCTION}"


def load_rows(wanted: Mapping[str, Any], **_metadata: Any) -> Any:
    """The generated rows as a DatasetDict with the split test. Raises TaskError where they cannot be generated."""
    from datasets import Dataset, DatasetDict

    return DatasetDict({"test": Dataset.from_list(generate(wanted))})


def generate(wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a generator, size and seed under settings, each with question, answer, tests (JSON text) and cluster.

    Generated in a new process, because some generators go through sets, whose order depends on PYTHONHASHSEED: it is 0 there.
    Its progress is shown on stderr if it takes long. Raises TaskError where no rows come, or not within GENERATING_LIMIT_S.
    """
    where = f"reasoning_gym:{wanted['generator']}"
    program = [sys.executable, "-W", "ignore", "-c", _PROGRAM, json.dumps(sys.path), json.dumps({**wanted, "version": VERSION})]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    last = "{}"
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(program, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True) as process,
    ):
        assert process.stdout is not None
        limit = threading.Timer(GENERATING_LIMIT_S, process.kill)
        limit.start()
        progress = Progress(wanted["size"], noun="rows", about=f"{where}: ")
        try:
            for last in process.stdout:
                if last.startswith('{"done"'):
                    progress.advance(json.loads(last)["done"] - progress.done)
        finally:
            late = not limit.is_alive()
            limit.cancel()
            process.kill()
            process.wait()
            if progress.done:  # it took more than a second
                progress.end()
        errors.seek(0)
        said = errors.read().decode(errors="replace")[-300:]
    if late:
        raise TaskError(
            f"{where}: {progress.done} of {count_noun(wanted['size'], 'row')} were generated in {GENERATING_LIMIT_S:.0f} s. "
            "Ask for a smaller size or for easier settings."
        )
    reply = json.loads(last)
    if "rows" not in reply:
        raise TaskError(f"{where}: {reply.get('error', said)}")
    return list(reply["rows"])
