"""Thinking formats as records: what ships, what a user writes, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from raml_eval.config import build_config
from raml_eval.errors import ModelError
from raml_eval.prompts import closer_ids, closing_ids
from raml_eval.thinking_formats import (
    Closing,
    Effort,
    Mode,
    find_closing,
    find_format,
    is_mark,
    known_formats,
    load_formats,
    parse_format,
    to_record,
)
from tests.families import build_merging_tokenizer, build_tokenizer

MINE = {"name": "mine", "opener": "<t>", "closer": "</t>"}


@pytest.mark.parametrize("name", known_formats())
def test_each_shipped_record_reads_back_from_what_is_shown_of_it(name: str) -> None:
    fmt = find_format(name)
    record = yaml.safe_load(yaml.safe_dump(to_record(fmt), allow_unicode=True))
    assert parse_format(record, "shown") == fmt
    assert bool(fmt.opener) == bool(fmt.closer) == fmt.thinks
    assert fmt.about
    assert fmt.families


def test_names_and_aliases_are_unique() -> None:
    names = [name for fmt in known_formats().values() for name in (fmt.name, *fmt.aliases)]
    assert len(names) == len(set(names))
    assert all(find_format(alias) is fmt for fmt in known_formats().values() for alias in fmt.aliases)


@pytest.mark.parametrize(
    ("name", "off"),
    [
        *((name, True) for name in ("qwen3", "deepseek-r1", "deepseek-v3", "nemotron", "nemotron-v2", "none", "seed-oss")),
        *((name, False) for name in ("qwq", "s1", "raml", "gpt-oss", "magistral", "minimax-m1")),
    ],
)
def test_which_formats_can_be_switched_off(name: str, off: bool) -> None:
    assert find_format(name).supports_off is off


def test_a_record_with_every_key() -> None:
    text = """
    name: mine
    opener: <t>
    closer: </t>
    on: {variables: {deep: true}}
    off: {system: no thinking, variables: {deep: false}}
    effort: {variable: effort, values: [low, 2]}
    closings: {short: {before: Enough., after: "So:"}, cut: {delimiter: false, after: "Answer:"}}
    end_of_turn: [<end>]
    by_name_only: true
    """
    fmt = parse_format(yaml.safe_load(text), "mine.yaml")
    assert (fmt.on, fmt.off) == (Mode({"deep": True}), Mode({"deep": False}, system="no thinking"))
    assert fmt.effort == Effort("effort", ("low", "2"))
    assert fmt.closings == {"short": Closing("Enough.", "So:"), "cut": Closing("", "Answer:", delimiter=False)}
    assert (fmt.end_of_turn, fmt.by_name_only, fmt.variables) == (("<end>",), True, {"deep"})


def test_the_bare_words_on_and_off_are_keys() -> None:
    record = yaml.safe_load("{name: m, opener: <t>, closer: </t>, on: {variables: {x: 1}}, off: {variables: {x: 0}}}")
    assert True in record  # so YAML reads the bare word
    assert parse_format(record, "m").on.variables == {"x": 1}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"openr": "<t>"}, r"mine\.yaml has the unknown key 'openr'.* opener"),
        ({"off": {"variable": {}}}, r"mine\.yaml: off has the unknown key 'variable'.* variables"),
        ({"closings": {"x": {"befor": ""}}}, r"mine\.yaml: closings\.x has the unknown key 'befor'"),
        ({"opener": 5}, r"opener is 5, wanted a text"),
        ({"families": "Mine"}, r"families is 'Mine', wanted a list of texts"),
        ({"by_name_only": "yes"}, r"by_name_only is 'yes', wanted true or false"),
        ({"on": "deep"}, r"mine\.yaml: on holds 'deep', wanted keys and values"),
        ({"on": {"variables": "deep"}}, r"on: variables is 'deep', wanted variables with their values"),
        ({"closings": ["x"]}, r"closings is \('x',\), wanted closings by name"),
        ({"closer": ""}, "opener and closer must both be given"),
        ({"opener": ""}, "opener and closer must both be given"),
        ({"opener": "<t>\n"}, "opener must not begin or end with blanks"),
        ({"off": {"prefix": "<t></t>", "variables": {"x": 0}}}, "off has both a switch and a prefix"),
        ({"on": {"prefix": "<t>"}}, "on has a prefix"),
        ({"closing": {"before": "ok</t>"}}, r"closing\.before holds the closer"),
        ({"closings": {"x": {"before": "ok</t>"}}}, r"closing\.before holds the closer"),
        ({"effort": {"variable": "effort"}}, "effort has values but no variable, or a variable without values"),
    ],
)
def test_a_wrong_record_is_refused_with_its_key(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_format(MINE | more, "mine.yaml")


@pytest.mark.parametrize(("record", "message"), [([], "holds"), ({"opener": "<t>", "closer": "</t>"}, "has no name")])
def test_what_is_no_record_is_refused(record: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        parse_format(record, "mine.yaml")


def test_an_unknown_name_is_refused_with_near_names() -> None:
    with pytest.raises(ModelError, match=r"'qwen'.*Did you mean .*qwen3.*Known formats: deepseek-v3, qwen3"):
        find_format("qwen")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(MINE), encoding="utf-8")
    assert find_format(str(path)) == parse_format(MINE, "x")
    path.write_text(yaml.safe_dump([MINE, MINE | {"name": "other"}]), encoding="utf-8")
    assert [fmt.name for fmt in load_formats(path)] == ["mine", "other"]
    with pytest.raises(ModelError, match="holds 2 thinking formats, wanted one"):
        find_format(str(path))


@pytest.mark.parametrize(("content", "message"), [("a: [", "is not YAML"), (None, "cannot read thinking format")])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=message):
        find_format(str(path))


def test_a_record_in_a_configuration() -> None:
    config = build_config([{"model": "m", "tasks": "t", "thinking": {"format": {"opener": "<t>", "closer": "</t>"}}}])
    assert config.thinking.format is not None
    fmt = find_format(config.thinking.format)
    assert (fmt.name, fmt.opener, fmt.closer) == ("configured", "<t>", "</t>")


PACKAGE = """
RECORD = {"name": "from-package", "opener": "<p>", "closer": "</p>"}
def build():
    return RECORD | {"name": "built"}
"""
SHOW = "from raml_eval.thinking_formats import known_formats as k; print([f.closer for n, f in k().items() if n in {!r}])"


@pytest.mark.parametrize(
    ("target", "printed"),
    [
        ("RECORD", "['</p>']"),
        ("build", "['</p>']"),
        ("missing", "the entry point mine of raml_eval.thinking_formats cannot be used"),
    ],
)
def test_the_entry_point_of_an_installed_package(tmp_path: Path, target: str, printed: str) -> None:
    (tmp_path / "my_formats.py").write_text(PACKAGE, encoding="utf-8")
    meta = tmp_path / "my_formats-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: my-formats\nVersion: 1.0\n", encoding="utf-8")
    (meta / "entry_points.txt").write_text(f"[raml_eval.thinking_formats]\nmine = my_formats:{target}\n", encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); " + SHOW.format(("from-package", "built"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert printed in done.stdout + done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize(
    ("fmt", "wanted", "text", "closing"),
    [
        ("qwen3", None, None, Closing()),
        ("qwen3", "bare", None, Closing()),
        ("raml", None, None, Closing(before="\n")),
        ("raml", "bare", None, Closing()),
        ("s1", "official", None, Closing("\n", "\nFinal Answer:")),
        ("nemotron-v2", "official", None, Closing(".\n", "\n\n")),
        ("think", "raml-paper", None, Closing(after="\n\n**Final Answer**\n\\boxed{", delimiter=False)),
        ("think", {"before": "Enough.", "delimiter": True}, None, Closing("Enough.")),
        ("s1", "official", "Time is up.", Closing("Time is up.", "\nFinal Answer:")),
    ],
)
def test_closings_by_name_and_by_record(fmt: str, wanted: Any, text: str | None, closing: Closing) -> None:
    assert find_closing(find_format(fmt), wanted, text) == closing


@pytest.mark.parametrize(
    ("wanted", "text", "message"),
    [
        ("offical", None, "format qwen3 has no closing 'offical'.*official.*It has bare, raml-paper, raml-no-think, official"),
        ({"befor": "x"}, None, r"thinking\.closing has the unknown key 'befor'"),
        (None, "Time is up.</think>", "holds '</think>', which is written after it anyway"),
        ({"before": "a</think>"}, None, "holds '</think>'"),
    ],
)
def test_a_wrong_closing_is_refused(wanted: Any, text: str | None, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        find_closing(find_format("qwen3"), wanted, text)


@pytest.mark.parametrize(
    ("name", "ids"),
    [("qwen3", (260,)), ("qwq", (260,)), ("s1", (257, 64, 77, 82, 86, 68, 81)), ("none", ())],
)
def test_end_delimiters_as_token_ids(name: str, ids: tuple[int, ...]) -> None:
    assert closer_ids(build_tokenizer("plain"), find_format(name)) == ids


def test_a_delimiter_of_several_tokens_depends_on_its_neighbours() -> None:
    tokenizer, raml = build_merging_tokenizer("plain"), find_format("raml")
    assert closer_ids(tokenizer, raml) == (256, 262, 29)  # '</' 'think' '>'
    assert tokenizer.encode("so.</think>\n") == [82, 78, 257, 262, 258]  # 's' 'o' '.</' 'think' '>\n'
    assert closing_ids(tokenizer, raml, raml.closing) == (198, 256, 262, 29)  # a line of its own keeps it as it is


@pytest.mark.parametrize(
    ("name", "wanted", "text", "ids"),
    [
        ("qwen3", None, None, (260,)),
        ("qwen3", None, "Ok\n", (46, 74, 198, 260)),
        ("raml", None, "", (260,)),
        ("none", None, "Ok", ()),
        ("qwen3", {"after": "A:"}, None, (260, 32, 25)),
        ("qwen3", {"after": "A:", "delimiter": False}, None, (32, 25)),
        ("s1", "official", None, (198, 257, 64, 77, 82, 86, 68, 81, 198)),
    ],
)
def test_closings_as_token_ids(name: str, wanted: Any, text: str | None, ids: tuple[int, ...]) -> None:
    fmt = find_format(name)
    assert closing_ids(build_tokenizer("qwen3"), fmt, find_closing(fmt, wanted, text))[: len(ids) or None] == ids


def test_what_opens_the_answer_follows_the_delimiter_of_a_forced_end() -> None:
    fmt = parse_format(MINE | {"answer_opener": "<a>"}, "x")
    tokenizer = build_tokenizer("plain", marks=("<t>", "</t>", "<a>"))
    assert closing_ids(tokenizer, fmt, Closing("A", "B")) == (32, 260, 261, 33)
    assert closing_ids(tokenizer, fmt, Closing("A", "B", delimiter=False)) == (32, 33)


def test_marks_are_no_ordinary_words() -> None:
    assert all(map(is_mark, ("<think>", "[THINK]", "◁think▷", "<|channel>thought")))
    assert not any(map(is_mark, ("Here is my response:", "/think", "")))


def test_what_a_forced_end_writes_is_no_part_of_a_formats_protocol() -> None:
    other = parse_format(to_record(find_format("qwen3")) | {"about": "x", "closing": {"before": "Ok."}}, "x")
    assert other.protocol() == find_format("qwen3").protocol()
    assert parse_format(MINE | {"answer_opener": "<a>"}, "x").protocol() != parse_format(MINE, "x").protocol()
