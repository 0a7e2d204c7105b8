"""What a task folder, a row, a YAML file or a checkpoint of somebody else cannot do. SECURITY.md names these tests."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import RamlError, TaskError
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.tasks.catalogue import load_catalogue, tasks_dir
from raml_eval.tasks.load import load_task
from raml_eval.tasks.task_file import foreign_functions, read_task_file
from raml_eval.types import LoadedTask
from raml_eval.yaml_text import read_yaml
from tests.test_cli import cli
from tests.test_tasks_catalogue import write_task
from tests.test_tasks_foreign import LOCAL, ROWS

ROOT = Path(__file__).parents[1]
REACHES = "{{ ''.__class__.__mro__[1].__subclasses__() }}"


def load(folder: Path, text: str, rows: list[dict[str, Any]] = ROWS, trust_tasks: bool = False) -> LoadedTask:
    write_task(folder, "mine", text)
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return load_task(load_catalogue([folder], trust_tasks=trust_tasks), "mine")


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that appears if the Python beside the task is run, which is there now."""
    path = tmp_path / "it_ran"
    (tmp_path / "own.py").write_text(f"open({str(path)!r}, 'w').close()\ndef keep(rows): return rows\n", encoding="utf-8")
    return path


def test_python_of_a_foreign_task_runs_only_if_it_is_trusted(tmp_path: Path, marker: Path) -> None:
    text = LOCAL + "process_docs: !function own.keep\n"
    with pytest.raises(TaskError, match=r"names the function own\.keep, which is Python .* pass --trust-tasks"):
        load(tmp_path, text)
    assert not marker.exists()
    assert len(load(tmp_path, text, trust_tasks=True).questions) == len(ROWS)
    assert marker.exists()


@pytest.mark.parametrize("where", ["process_docs: !function os.system", "metadata: {deep: [{a: !function shutil.rmtree}]}"])
def test_a_function_of_any_installed_module_is_foreign(where: str, tmp_path: Path) -> None:
    path = write_task(tmp_path, "mine", f"task: mine\n{where}\n")
    assert len(foreign_functions(read_task_file(path))) == 1


def test_a_file_in_the_place_of_ours_is_foreign(tmp_path: Path) -> None:
    path = write_task(tmp_path, "mine", "task: mine\ncustom_dataset: !function raml_eval.tasks.docs.load_jsonl\n")
    assert foreign_functions(read_task_file(path)) == []
    beside = tmp_path / "raml_eval" / "tasks" / "docs.py"
    beside.parent.mkdir(parents=True)
    beside.write_text("def load_jsonl(*args): ...\n", encoding="utf-8")
    assert foreign_functions(read_task_file(path)) == ["raml_eval.tasks.docs.load_jsonl"]


def test_a_name_that_only_begins_like_ours_is_foreign(tmp_path: Path) -> None:
    path = write_task(tmp_path, "mine", "task: mine\nprocess_docs: !function raml_eval_extras.keep\n")
    assert foreign_functions(read_task_file(path)) == ["raml_eval_extras.keep"]


def test_tasks_that_ship_are_trusted_wherever_they_are_named() -> None:
    assert load_catalogue([tasks_dir()]).untrusted == set()


def test_the_command_line_says_what_was_not_run(tmp_path: Path, marker: Path) -> None:
    write_task(tmp_path, "mine", LOCAL + "process_docs: !function own.keep\n")
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    refused = cli("tasks", "preview", "mine", "--task-path", tmp_path)
    assert refused.returncode == 2
    assert "--trust-tasks" in refused.stderr
    checked = cli("tasks", "check", tmp_path)
    assert checked.returncode == 0
    assert "mine: rows not loaded" in checked.stderr
    assert not marker.exists()
    assert "1 task loaded" in cli("tasks", "check", tmp_path, "--trust-tasks").stdout
    assert marker.exists()


def test_a_row_is_no_template(tmp_path: Path) -> None:
    hostile = {**ROWS[0], "question": f"{{{{ 7 * 7 }}}} {REACHES} {{% raw %}}"}
    task = load(tmp_path, LOCAL.replace("doc_to_text: question", 'doc_to_text: "Q: {{question}}"'), [hostile])
    assert task.questions[0].messages[0]["content"].endswith(hostile["question"])


@pytest.mark.parametrize("template", [REACHES, "{{ question.__class__.mro() }}", "{{ '{0.__class__.mro}'.format(question) }}"])
def test_a_template_cannot_reach_pythons_internals(template: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"SecurityError|unsafe"):
        load(tmp_path, LOCAL.replace("doc_to_text: question", f"doc_to_text: {json.dumps(template)}"))


@pytest.mark.parametrize("text", ["a: !!python/object/apply:os.system [true]", "a: !!python/name:os.system"])
def test_no_yaml_builds_an_object(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="python"):
        read_yaml(text)
    with pytest.raises(TaskError, match="not valid YAML"):
        read_task_file(write_task(tmp_path, "mine", f"task: mine\n{text}\n"))
    # what is read with yaml.load names its loader, and every loader is a safe one
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "raml_eval").rglob("*.py")]
    unsafe = re.compile(r"yaml\.(?:unsafe|full)_load|UnsafeLoader|FullLoader")
    assert not [found for source in sources for found in unsafe.findall(source)]
    assert issubclass(yaml.CSafeLoader, yaml.constructor.SafeConstructor)


def test_a_checkpoint_with_code_of_its_own_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "it_ran"
    folder = tmp_path / "model"
    folder.mkdir()
    config = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["code.Mine", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"model_type": "mine", **config}), encoding="utf-8")
    (folder / "code.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Mine: ...\n", encoding="utf-8")
    with pytest.raises(RamlError):
        load_tokenizer(find_checkpoint(str(folder)))
    assert not marker.exists()


def test_a_chat_template_cannot_reach_pythons_internals(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(ROOT / "raml_eval" / "pocket", folder)
    harmless = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    (folder / "chat_template.jinja").write_text(harmless + REACHES, encoding="utf-8")
    refused = cli("tasks", "preview", "pocket_chain", "--model", folder)
    assert refused.returncode == 2
    assert "unsafe" in refused.stderr


def test_every_line_of_the_threat_model_has_a_test() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    lines = [line for line in rows if line.count("|") == rows[0].count("|")][1:]  # without the heading
    assert len(lines) > 20
    assert {line.split("|")[1].strip() for line in lines} >= {"A server", "What is published"}
    for line in lines:
        path, test = re.findall(r"`(tests/\w+\.py)::(test_\w+)`", line)[0]
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path} has no {test}"
