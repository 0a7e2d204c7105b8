"""The action, the workflows and docs/ci.md agree, and no workflow pastes a value into code or has a permission too many."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import pytest
import yaml

from raml_eval.comparison import check_gate
from raml_eval.exits import COMMANDS
from raml_eval.gate_file import build_gate, load_gate
from tests.expressions import PIECE, STATUS, evaluate, fill, names_in, tokens_of

ROOT = Path(__file__).resolve().parents[1]
ACTION = ROOT / ".github" / "actions" / "evaluate"
DESCRIBED = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = DESCRIBED["runs"]["steps"]
FUNCTIONS = dict(re.findall(r"^(\w+)\(\) \{\n(.*?)^\}", (ACTION / "steps.sh").read_text(encoding="utf-8"), re.M | re.S))
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "ci" / "evaluate.yml"
WORKFLOWS = [EXAMPLE, ROOT / ".github" / "workflows" / "ci.yml"]
JOBS: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["jobs"]
OURS = ".github/actions/evaluate"
CONTEXTS = {"inputs", "steps", "github", "needs", "job"}


def expressions(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """(key, expression) for each expression; a condition may stand without ${{ }}."""
    if isinstance(value, dict):
        for name, held in value.items():
            yield from expressions(held, str(name))
    elif isinstance(value, list):
        for held in value:
            yield from expressions(held, key)
    elif isinstance(value, str):
        found = PIECE.findall(value)
        yield from ((key, piece) for piece in found or ([value] if key == "if" else []))


def check_names(steps: list[dict[str, Any]], inputs: set[str], needs: set[str]) -> None:
    """Every expression of the steps reads an input, a job before it, or an output of a step before it."""
    known: set[str] = set()
    for step in steps:
        for _, piece in expressions(step):
            for token in (token for token in tokens_of(piece) if token[0].isalpha()):
                first, *rest = token.split(".")
                assert first in CONTEXTS or token in STATUS, f"{token} in {piece}"
                assert first != "inputs" or rest[0] in inputs, piece
                assert first != "needs" or rest[0] in needs, piece
                assert first != "steps" or (rest[0] in known and rest[1] in ("outputs", "outcome")), piece
        known |= {step["id"]} if "id" in step else set()


def test_every_expression_of_the_action_refers_to_something() -> None:
    check_names(STEPS, set(DESCRIBED["inputs"]), set())
    ids = {step["id"] for step in STEPS if "id" in step}
    for _, piece in expressions(DESCRIBED["outputs"]):
        for name in names_in(piece):
            _, step, _, output = name.split(".")
            assert step in ids
            body = FUNCTIONS[next(one for one in STEPS if one.get("id") == step)["run"].split()[-1]]
            assert f"set_output {output} " in body


@pytest.mark.parametrize("step", [step for step in STEPS if "run" in step], ids=lambda step: step["name"])
def test_a_step_gets_what_it_reads_and_pastes_nothing(step: dict[str, Any]) -> None:
    assert "${{" not in step["run"]
    function = step["run"].splitlines()[1].split()[0]
    read, todo = set(), [step["run"], FUNCTIONS[function]]
    while todo:
        body = todo.pop()
        read |= set(re.findall(r"\bINPUT_\w+", body)) | set(re.findall(r"\bEXIT_CODE\b", body))
        todo += [FUNCTIONS[name] for name in FUNCTIONS if re.search(rf"(?:^|[ (]){name}\b", body, re.M)]
    assert read == set(step.get("env", {}))
    for variable, value in step.get("env", {}).items():
        if variable.startswith("INPUT_"):
            assert value == "${{ inputs." + variable.removeprefix("INPUT_").lower().replace("_", "-") + " }}"


def test_every_input_is_used_and_documented() -> None:
    used = {name.split(".")[1] for _, piece in expressions(STEPS) for name in names_in(piece) if name.startswith("inputs.")}
    inputs = PAGE[PAGE.index("## Inputs") : PAGE.index("## Outputs")]
    outputs = PAGE[PAGE.index("## Outputs") : PAGE.index("## What an exit code")]
    assert used == set(DESCRIBED["inputs"]) == set(re.findall(r"^\| `([\w-]+)`", inputs, re.M))
    assert set(DESCRIBED["outputs"]) == set(re.findall(r"^\| `([\w-]+)`", outputs, re.M))
    for name, declared in DESCRIBED["inputs"].items():
        row = re.search(rf"^\| `{name}` \| (.*) \|$", inputs, re.M)
        assert row is not None
        assert not declared["default"] or str(declared["default"]) in row[1], f"docs/ci.md says no default of {name}"


def test_the_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_uses_the_action_as_it_is(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    ours = [step for step in steps if OURS in step.get("uses", "")]
    assert ours
    for step in ours:
        assert set(step.get("with", {})) <= set(DESCRIBED["inputs"])
    for job in workflow["jobs"].values():
        check_names(job["steps"], {"accept"}, set())
        for _, piece in expressions(job["steps"]):
            outputs = [name for name in names_in(piece) if name.startswith("steps.evaluate.outputs.")]
            assert {name.rsplit(".", 1)[1] for name in outputs} <= set(DESCRIBED["outputs"])


def test_the_example_pastes_no_value_into_code() -> None:
    for job in JOBS.values():
        for step in job["steps"]:
            assert "run" not in step
            assert "${{" not in step.get("with", {}).get("script", "")


def test_the_example_gives_code_under_evaluation_no_token_that_writes() -> None:
    workflow = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    assert workflow[True]["pull_request"] == {"types": ["labeled"]}  # YAML reads `on` as true
    assert "pull_request_target" not in workflow[True]
    assert "secrets" not in EXAMPLE.read_text(encoding="utf-8")
    for name, job in JOBS.items():
        runs_code = any("checkout" in step.get("uses", "") or OURS in step.get("uses", "") for step in job["steps"])
        writes = "write" in job["permissions"].values()
        assert runs_code is (name == "evaluate")
        assert not (runs_code and writes)
        assert runs_code or job["needs"] == "evaluate"
    assert "github.event.label.name == 'evaluate'" in JOBS["evaluate"]["if"]
    assert "head.repo.full_name == github.repository" in JOBS["comment"]["if"]


@pytest.mark.parametrize(
    ("status", "ref", "name"),
    [
        ("success", "refs/heads/main", "raml-eval-baseline"),
        ("failure", "refs/heads/main", "raml-eval-run"),
        ("success", "refs/pull/7/merge", "raml-eval-run"),
    ],
)
def test_only_a_run_that_passed_on_the_main_branch_becomes_the_baseline(status: str, ref: str, name: str) -> None:
    step = next(step for step in JOBS["evaluate"]["steps"] if step.get("name") == "Keep the run")
    assert fill(step["with"]["name"], {"job": {"status": status}, "github": {"ref": ref}}) == name


@pytest.mark.parametrize(("head", "comment", "wanted"), [("o/r", "c.md", True), ("fork/r", "c.md", False), ("o/r", "", False)])
def test_a_comment_is_for_pull_requests_from_the_repository_itself(head: str, comment: str, wanted: bool) -> None:
    github = {
        "event_name": "pull_request",
        "repository": "o/r",
        "event": {"pull_request": {"head": {"repo": {"full_name": head}}}},
    }
    contexts = {"github": github, "needs": {"evaluate": {"outputs": {"comment": comment}}}}
    (condition,) = PIECE.findall(JOBS["comment"]["if"])
    assert evaluate(condition, contexts, {"cancelled": lambda: False}) is wanted


def test_any_other_label_evaluates_nothing() -> None:
    for event, label, wanted in (("pull_request", "evaluate", True), ("pull_request", "bug", False), ("schedule", "", True)):
        contexts = {"github": {"event_name": event, "event": {"label": {"name": label}}}}
        assert evaluate(JOBS["evaluate"]["if"], contexts) is wanted


def script_of(job: str, name: str) -> str:
    step = next(step for step in JOBS[job]["steps"] if step.get("name") == name)
    assert step["uses"].startswith("actions/github-script@")
    return str(step["with"]["script"])


def play_script(script: str, given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What the script of a github-script step did with an API that has these comments and artifacts."""
    if (node := shutil.which("node")) is None:
        pytest.skip("no node, which runs the scripts of the example's workflow")
    shell = """
const given = JSON.parse(process.argv[2]), done = {calls: [], outputs: {}};
const note = (name) => async (values) => { done.calls.push([name, values]); };
const issues = {listComments: 'comments', updateComment: note('update'), createComment: note('create')};
const actions = {listArtifactsForRepo: async () => ({data: {artifacts: given.artifacts}})};
const github = {rest: {issues, actions}, paginate: async (what) => given[what]};
const context = {repo: {owner: 'o', repo: 'r'}, issue: {number: 7}, eventName: given.event};
const core = {setOutput: (name, value) => { done.outputs[name] = value; }, setFailed: (why) => { done.failed = why; }};
(async () => {
"""
    (folder / "script.cjs").write_text(f"{shell}{script}\n}})().then(() => console.log(JSON.stringify(done)));\n")
    ended = subprocess.run([node, "script.cjs", json.dumps(given)], cwd=folder, capture_output=True, text=True, check=True)
    done: dict[str, Any] = json.loads(ended.stdout)
    return done


def test_one_comment_is_updated_in_place(tmp_path: Path) -> None:
    body = "<!-- raml-eval gate: release -->\nnew\n"
    (tmp_path / "report" / "comparison").mkdir(parents=True)
    (tmp_path / "report" / "comparison" / "comment.md").write_text(body)
    bot, person = {"login": "github-actions[bot]"}, {"login": "someone"}
    others = [
        {"id": 1, "user": person, "body": "<!-- raml-eval gate: release -->\nquoted"},
        {"id": 2, "user": bot, "body": "<!-- raml-eval gate: release 2 -->\nanother gate"},
        {"id": 3, "user": None, "body": "a deleted account"},
    ]
    script = script_of("comment", "Update the comment")
    done = play_script(script, {"comments": others}, tmp_path)
    assert done["calls"] == [["create", {"owner": "o", "repo": "r", "issue_number": 7, "body": body}]]
    mine = {"id": 4, "user": bot, "body": "<!-- raml-eval gate: release -->\r\nold"}
    done = play_script(script, {"comments": [*others, mine]}, tmp_path)
    assert done["calls"] == [["update", {"owner": "o", "repo": "r", "comment_id": 4, "body": body}]]


def artifact(run: int, created: str, branch: str = "main", head: int = 1, expired: bool = False) -> dict[str, Any]:
    return {
        "created_at": created,
        "expired": expired,
        "workflow_run": {"id": run, "head_branch": branch, "head_repository_id": head, "repository_id": 1},
    }


def test_the_baseline_is_the_newest_of_the_main_branch(tmp_path: Path) -> None:
    script = script_of("evaluate", "Find the baseline")
    artifacts = [
        artifact(1, "2026-01-01T00:00:00Z"),
        artifact(2, "2026-01-03T00:00:00Z"),
        artifact(3, "2026-01-02T00:00:00Z"),
        artifact(4, "2026-01-04T00:00:00Z", branch="topic"),
        artifact(5, "2026-01-05T00:00:00Z", head=2),
        artifact(6, "2026-01-06T00:00:00Z", expired=True),
    ]
    assert play_script(script, {"artifacts": artifacts}, tmp_path)["outputs"] == {"run-id": 2}
    assert play_script(script, {"artifacts": artifacts[3:]}, tmp_path) == {"calls": [], "outputs": {}}
    asked = play_script(script, {"artifacts": artifacts[3:], "event": "pull_request"}, tmp_path)
    assert "no baseline" in asked["failed"]


def gitlab_note() -> str:
    script = yaml.safe_load((ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8"))["note"]["script"]
    return str(script[0])


class GitLab(BaseHTTPRequestHandler):
    """The part of GitLab's API that the example asks: pages of one note, and the user of the token."""

    notes: ClassVar[list[dict[str, Any]]]
    asked: ClassVar[list[tuple[str, str, str]]]

    def _answer(self) -> None:
        assert self.headers["PRIVATE-TOKEN"] == "token"
        place, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        page = int(dict(parse_qsl(query)).get("page", 1))
        reply: Any = {"id": 5} if place == "/user" else self.notes[page - 1 : page]
        if self.command != "GET":
            self.asked.append((self.command, place, dict(parse_qsl(body))["body"]))
        self.send_response(200)
        self.send_header("X-Next-Page", str(page + 1) if page < len(self.notes) else "")
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""


@pytest.mark.parametrize(("author", "method", "place"), [(5, "PUT", "/notes/2"), (6, "POST", "/notes")])
def test_one_note_of_a_merge_request_is_updated_in_place(author: int, method: str, place: str, tmp_path: Path) -> None:
    body = "<!-- raml-eval gate: release -->\nnew & <b>\n"
    (tmp_path / "evaluation" / "comparison").mkdir(parents=True)
    (tmp_path / "evaluation" / "comparison" / "comment.md").write_text(body)
    GitLab.notes = [
        {"id": 1, "author": {"id": 5}, "body": "something else"},
        {"id": 2, "author": {"id": author}, "body": "<!-- raml-eval gate: release -->\nold"},
    ]
    GitLab.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), GitLab) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        given = {"CI_API_V4_URL": url, "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "4", "RAML_EVAL_NOTE_TOKEN": "token"}
        ended = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", gitlab_note()], cwd=tmp_path, env={**os.environ, **given}, check=False
        )
        server.shutdown()
    assert ended.returncode == 0
    assert GitLab.asked == [(method, f"/projects/3/merge_requests/4{place}", body)]


# A curl that writes this file, or nothing, and says this HTTP status; a pip that has installed everything.
CURL = """#!/bin/sh
while [ $# -gt 1 ]; do case $1 in --output) shift; [ ! -e "$STORED" ] || cp "$STORED" "$1";; esac; shift; done
printf '%s' "$STATUS"
"""


@pytest.mark.parametrize(
    ("codes", "status", "merge_request", "code", "said"),
    [
        ("0 0 1", "200", "7", 1, ["run", "report", "compare"]),
        ("4 0 0 3", "200", "", 3, ["run", "run", "report", "compare"]),
        ("4 4", "200", "7", 4, ["run", "run"]),
        ("2", "200", "7", 2, ["run"]),
        ("0 0", "404", "", 0, ["run", "report"]),
        ("0 0", "404", "7", 2, ["run", "report"]),
        ("0 0", "500", "", 2, ["run", "report"]),
    ],
)
def test_the_job_on_gitlab_ends_with_the_code_that_counts(
    codes: str, status: str, merge_request: str, code: int, said: list[str], tmp_path: Path
) -> None:
    job = yaml.safe_load((ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8"))["evaluate"]
    (tmp_path / "codes").write_text("\n".join(codes.split()))
    with zipfile.ZipFile(tmp_path / "stored.zip", "w") as stored:
        stored.writestr("evaluation/run/manifest.json", "{}")
    programs = {
        "curl": CURL,
        "pip": "#!/bin/sh\n",
        "raml-eval": '#!/bin/sh\necho "$1" >> said\nread -r code < codes\nsed -i 1d codes\nexit "$code"\n',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    given = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "CI_MERGE_REQUEST_IID": merge_request,
        "STATUS": status,
        "STORED": str(tmp_path / "stored.zip"),
    }
    ended = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
        cwd=tmp_path, env={**os.environ, **job["variables"], **given}, check=False,
    )  # fmt: skip
    assert ended.returncode == code
    assert (tmp_path / "said").read_text().split() == said
    assert job["allow_failure"] == {"exit_codes": 3}
    assert (tmp_path / "baseline/evaluation/run/manifest.json").exists() is ("compare" in said)


def test_the_gate_that_the_example_needs_is_there() -> None:
    gate = load_gate(ROOT / "examples" / "ci" / "gate.yaml")
    check_gate(gate)
    assert gate.name == "release"
    assert "examples/ci/gate.yaml gate.yaml" in PAGE
    (step,) = [step for step in JOBS["evaluate"]["steps"] if OURS in step.get("uses", "")]
    assert step["with"]["gate"] == "gate.yaml"
    commented = (ROOT / "examples" / "ci" / "gate.yaml").read_text(encoding="utf-8").replace("  # - {", "  - {")
    assert len(build_gate(yaml.safe_load(commented)).cells) == 3


def test_the_page_knows_every_code_of_both_commands() -> None:
    rows = set(re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.M))
    for command in ("run", "compare"):
        assert {code for code, of in rows if of == command} >= {str(int(code)) for code in COMMANDS[command]} - {"0"}
