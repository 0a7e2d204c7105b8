"""docs/leaderboards.md: its board and its published entry are accepted, and it names every key."""

from __future__ import annotations

import re
from pathlib import Path

from raml_eval.reporting.boards.board import FREE, Board, Ranking, Rules, read_board
from raml_eval.reporting.boards.entry import Asked, Counted, RunEntry
from raml_eval.reporting.boards.leaderboard import add_published, build_board
from tests.boards import write_board

PAGE = (Path(__file__).parents[1] / "docs" / "leaderboards.md").read_text(encoding="utf-8")


def block(form: str) -> str:
    found = re.search(rf"^```{form}\n(.*?)^```$", PAGE, re.S | re.M)
    assert found is not None
    return found[1]


def test_the_board_of_the_page_takes_the_published_entry_of_the_page(tmp_path: Path) -> None:
    folder = write_board(tmp_path / "board", block("yaml"))
    (tmp_path / "their-model.json").write_text(block("json"), encoding="utf-8")
    assert add_published(folder, tmp_path / "their-model.json").name == "Their--model.json"
    text = build_board(folder)[0].read_text(encoding="utf-8")
    assert re.search(r"\| published, not rerun \| Their model<sup>1</sup> \| +27\.37 \| +n/a \|", text)
    assert re.findall(r"^\*\*(.*) by task", text, re.M) == ["pass@8"]  # what nobody gives has no table
    assert read_board(folder).rules.free == FREE


def test_every_key_is_explained() -> None:
    rules = {f"rules.{name}" for name in Rules.model_fields}
    names = {*Board.model_fields, *rules, *Ranking.model_fields, *RunEntry.model_fields, *Asked.model_fields, *FREE}
    names |= set(Counted.model_fields) - {"task", "budget"}
    assert [name for name in sorted(names - {"rules"}) if f"`{name}`" not in PAGE] == []


def test_the_readme_shows_the_numbers_of_the_shipped_board() -> None:
    """Both are of `raml-eval run pocket`."""
    root = Path(__file__).parents[1]
    text = (root / "README.md").read_text(encoding="utf-8").split("## What comes out", 1)[1].split("\n## ", 1)[0]
    board = (root / "leaderboards" / "pocket" / "README.md").read_text(encoding="utf-8")

    def rows(of: str, start: str) -> list[list[str]]:
        table = of.split(start, 1)[1].split("\n\n")[1]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]

    means = {row[0]: row for row in rows(text, "**Macro means.**") if row[2] == "unlimited"}
    (entry,) = rows(board, "**At budget unlimited")
    assert [means[domain][3] for domain in ("in-domain", "cross-domain")] == entry[4:6]
    assert [means[domain][5] for domain in ("in-domain", "cross-domain")] == entry[6:8]
    (by_task,) = rows(board, "**avg@n by task")
    in_domain = [row for row in rows(text, "**In-domain.**") if row[1] == "unlimited"]
    assert in_domain[0][2:] == by_task[2:4]
