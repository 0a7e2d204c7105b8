"""LaTeX that prints texts literally, and tables that break over pages and are no wider than the page."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 120  # characters of one table: \tiny ones fit the narrow page of the class article
LONG = 28  # characters from which a cell is broken into lines
_ROWS = 30  # rows that surely fit one page, where a table cannot break
_WORD, _PIECE = 24, 16  # characters from which a word may be broken, and after which it may be in any case

_ESCAPES = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "τ": r"$\tau$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "−": "$-$",
    "…": r"\dots{}",
    **{c: c for c in "–—‘’“”"},
}


def escape_line(text: str) -> str:
    r"""The text, which is one line, as LaTeX that prints it literally. A long word may be broken after its separators.

    Characters that pdflatex does not know are printed as [U+4E2D], and as they are by engines that know Unicode.

    Example: escape_line("50%") == "50\\%"
    """
    safe = " ".join(_breakable(word) if len(word) > _WORD else "".join(map(_escape, word)) for word in text.split(" "))
    safe = safe.replace("--", "-{}-")
    # LaTeX reads a [ or a * after \\ as an option of it.
    return f"{{{safe[0]}}}{safe[1:]}" if safe.startswith(("[", "*")) else safe


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    known = ord(character) < 0x7F or 0xA0 < ord(character) < 0x17F
    return character if known else f"\\ramlchar{{{ord(character):04X}}}{{{character}}}"


def _breakable(word: str) -> str:
    written, since = "", 0
    for character in word:
        written += _escape(character)
        since += 1
        if character in "/_-.:,=@" or since == _PIECE:
            written, since = rf"{written}\allowbreak{{}}", 0
    return written


def latex_table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str], sizes: Sequence[int], n_labels: int
) -> str:
    r"""The table as calls of \ramltable, which a template defines (_tables.latex.jinja). Texts are escaped already.

    align has left or right for each column, and sizes the characters of its longest cell. A table of more than WIDTH
    characters is several with the labels repeated, as in a terminal.
    """
    wide = [min(size, LONG) + 2 for size in sizes]
    groups: list[list[int]] = [[]]
    for column in range(n_labels, len(wide)):
        if groups[-1] and sum(wide[:n_labels]) + sum(wide[c] for c in groups[-1]) + wide[column] > WIDTH:
            groups.append([])
        groups[-1].append(column)
    written = []
    for number, group in enumerate(groups):
        columns = [*range(n_labels), *group]
        lines = [" & ".join(_cell(row[c]) if sizes[c] > LONG else row[c] for c in columns) + r" \\" for row in (head, *rows)]
        named = title if number == 0 or not title else f"{title} (further columns)"
        letters = "".join(align[c][0] for c in columns)
        chunks = ("\n".join(lines[at : at + _ROWS]) for at in range(1, len(lines), _ROWS))
        body = "".join(f"\\ramlrows{{{chunk}}}\n" for chunk in chunks)
        written.append(f"\\ramltable{{{letters}}}{{{len(columns)}}}{{{named}}}{{%\n{lines[0]}}}{{%\n{body}}}{{{len(rows)}}}")
    return "\n\n".join(written)


def _cell(text: str) -> str:
    return rf"\ramlcell{{{text}}}"


def mark_latex(numbers: str) -> str:
    """The numbers of footnotes, raised."""
    return f"\\textsuperscript{{{numbers}}}"
