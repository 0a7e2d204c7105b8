"""docs/token-roles.md names every option, role, column and constant, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from raml_eval.cli.diagnosing import app
from raml_eval.diagnostics.roles.changes import FLOOR, Change, Measured
from raml_eval.diagnostics.roles.diagnose import MOST
from raml_eval.diagnostics.roles.null import N_SPANS
from raml_eval.diagnostics.roles.occurrences import BREAKS, DELIMITER, WORDS
from raml_eval.diagnostics.roles.thoughts import SHARES
from tests.defined import names_for
from tests.test_diagnostics_roles_thoughts import thought

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "token-roles.md").read_text(encoding="utf-8")


def test_every_option_is_named() -> None:
    command = typer.main.get_command(app).commands["token-roles"]  # type: ignore[attr-defined]
    options = {name for one in command.params for name in one.opts if name.startswith("--")}
    assert options
    assert not {name for name in options if f"`{name}" not in PAGE}
    most = next(one for one in command.params if one.name == "most")
    assert most.default == MOST
    assert f"({MOST})" in PAGE


def test_every_role_and_constant_is_named() -> None:
    assert not [role for role in (*WORDS, *BREAKS, DELIMITER) if f"`{role}`" not in PAGE]
    assert f"up to {N_SPANS} spans" in PAGE
    assert FLOOR == 10**-4
    assert r"$\varepsilon = 10^{-4}$" in PAGE
    assert f"At {', '.join(f'{100 * share:.0f}' for share in SHARES[:-1])} and {100 * SHARES[-1]:.0f} %" in PAGE


def test_the_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert not [link for link in links if not (DOCS / link).exists()]


def test_every_column_of_the_occurrences_is_defined_and_what_is_null() -> None:
    row = Measured(thought("1", "wait"), "Wait", 0, 4, Change(0.0, 1.0), ()).row()
    assert [name for name in row if names_for(PAGE, "occurrences.parquet").count(name) != 1] == []
    assert [name for name, value in row.items() if value is None] == ["relative", "null_log_change"]
    assert [name for name, value in row.items() if value == []] == ["null_before", "null_after"]
    for name in ("n_matched", "matched_log_change", "null_log_change", "difference", "log_change"):
        assert names_for(PAGE, "roles.parquet").count(name) == 1
