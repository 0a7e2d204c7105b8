"""What the end of a text says, where no statement does: marks, bold words, the last sentence."""

from __future__ import annotations

import re

from raml_eval.grading.choice.letters import other_text_before, other_text_behind, read_whole
from raml_eval.grading.choice.option_lines import read_item, read_line, stands_alone
from raml_eval.grading.choice.option_text import LONE_LETTERS, OptionTexts
from raml_eval.grading.statements.places import MOST
from raml_eval.grading.statements.settle import HEDGE, Reading
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import soft_key

_LONE_LINE = re.compile(r"^[ \t>*_`$(\[]{0,8}[A-Z](?![A-Za-z0-9]|[ \t]+[a-z])[^\n]{0,400}$", re.MULTILINE)
_BARE_ITEM = re.compile(r"[ \t>*_\-•|]{0,12}([A-Z])[ \t*_|]{0,4}")
_BOLD = re.compile(r"\*\*([^*\n]{1,1000})\*\*|__([^_\n]{1,1000})__")
_SENTENCES = re.compile(r"(?<=[.!?。！？])\s+(?=[A-Z(*\"“])|(?<=[。！？])|\n+")
_BARE_LETTER = re.compile(r"(?<![A-Za-z0-9_'’-])([A-Z])(?![A-Za-z0-9_'’-]|[ \t]*[=<>])")
_WORD_AFTER = re.compile(r"[ \t]+[a-z]")  # behind A and I, which are words then


def closing_reading(text: str, low: str, texts: OptionTexts) -> Reading | None:
    """What the marks, the bold words or the last line of a text say, where no statement does."""
    marked = (_marked(text) | {m[1].upper() for m in PHRASES["mark_in_line"].finditer(text)}) & set(texts.letters)
    body = text.rstrip()
    if (lone := _read_lone_line(body, texts)) is not None:
        return lone
    if marked:
        return Reading(marked.pop() if len(marked) == 1 else HEDGE, 0, len(body), "marked as correct")
    start = body.rfind("\n") + 1
    line = body[start:]
    found = _read_bold(body, start, texts)
    if found is not None:
        return Reading(found, start, len(body), "bold")
    if (named := _read_last_sentences(body, texts)) is not None:
        return Reading(named, start, len(body), "last sentence")
    told = line.replace("：", ":").rpartition(":")[2]
    names_wrong = PHRASES["of_wrong_ones"].search(line.lower()) is not None
    if (
        told != line
        and not names_wrong
        and read_item(line) is None
        and (value := read_line(told, texts, behind_colon=True)) is not None
    ):
        return Reading(value, start, len(body), "last line, after a colon")
    last = PHRASES["last_word"].search(body, max(0, len(body) - 200))
    if last is not None and (last["alone"] or last["pointed"]) in texts.letters:
        return Reading(last["alone"] or last["pointed"], last.start(), len(body), "last words")
    sentence = PHRASES["clause_break"].split(line.rstrip(" .*_`"))[-1]
    if (
        (letter := texts.match_end(sentence))
        and PHRASES["concludes"].search(line)
        and PHRASES["equals"].search(_without_end(sentence, letter, texts))
    ):
        return Reading(letter, start, len(body), "last line, an option's text")
    return None


def _read_last_sentences(body: str, texts: OptionTexts) -> str | None:
    """The only option that the last sentence with any in it is for: '(C)', 'choice C', or a bare letter beside such a word."""
    sentences = _SENTENCES.split(body[-1500:])
    for sentence in reversed(sentences[-3:]):
        if named := _letters_for(sentence, texts):
            return named.pop() if len(named) == 1 else HEDGE
    return None


def _letters_for(sentence: str, texts: OptionTexts) -> set[str]:
    """The options that a sentence is for, those of its clauses that neither concede nor weigh something before others."""
    has_cue = PHRASES["cue"].search(sentence) is not None
    clauses = _clauses(sentence, texts)
    certain = [clause for clause in clauses if not PHRASES["might_be"].search(clause)]
    firm = [clause for clause in certain if not PHRASES["concession"].match(clause)]
    if len(firm) == len(clauses):
        firm = certain = [sentence]  # what its end says against an option holds for all of them
    for stretches in (firm, certain):
        if named := {name for clause in stretches for name in _letters_of(clause, has_cue, texts)} & set(texts.letters):
            return named
    return set()


def _clauses(sentence: str, texts: OptionTexts) -> list[str]:
    """The clauses of a sentence; one that names no option belongs to the one before it."""
    opening = PHRASES["opening_concession"].match(sentence)
    at = opening.end() if opening else 0
    clauses = [sentence[:at]] if opening else []
    for clause in PHRASES["new_clause"].split(sentence[at:]):
        if clauses and set(texts.letters).isdisjoint(LONE_LETTERS.findall(clause)):
            clauses[-1] += f" {clause}"
        else:
            clauses.append(clause)
    return clauses


def _letters_of(clause: str, has_cue: bool, texts: OptionTexts) -> set[str]:
    """The letters that a clause names as options and says nothing against."""
    stated = [m for m in PHRASES["named_letters"].finditer(clause) if not _is_against(clause, m)]
    if stated or not has_cue:
        beside = {other for m in stated for other in _other_texts(clause, m, texts)}
        return beside.union(*(LONE_LETTERS.findall(m[0]) for m in stated))
    bare = [m for m in _BARE_LETTER.finditer(clause) if not (m[1] in "AI" and _WORD_AFTER.match(clause, m.end()))]
    return {texts.letter_in_text(clause, m.start()) or m[1] for m in bare if not _is_against(clause, m)}


def _other_texts(clause: str, named: re.Match[str], texts: OptionTexts) -> set[str]:
    """The other options whose text stands right beside the one letter that is named: (A) London, London (A)."""
    letters = LONE_LETTERS.findall(named[0])
    if len(letters) != 1:
        return set()
    found = (
        other_text_behind(clause[named.end() :], letters[0], texts),
        other_text_before(clause[: named.start()], letters[0], texts),
    )
    return {other for other in found if other is not None}


def _is_against(clause: str, letter: re.Match[str]) -> bool:
    """Whether the clause asks, supposes or denies what it says of the letter."""
    before = PHRASES["against"].search(clause, 0, letter.start())
    return before is not None or PHRASES["against_after"].match(clause, letter.end()) is not None


def _marked(text: str) -> set[str]:
    """The letters of the lines that end with a mark such as 'correct'."""
    found = {(m[1] or m[2]).upper() for m in PHRASES["mark_first"].finditer(text)}
    for mark in list(PHRASES["mark at end"].finditer(text))[-MOST:]:
        start = text.rfind("\n", 0, mark.start()) + 1
        head = PHRASES["marked_item"].match(text, start, mark.start()) or (
            None if mark[0][0].isalpha() else _BARE_ITEM.fullmatch(text, start, mark.start())
        )
        if head is not None and not PHRASES["unmarked"].search(text, start, mark.start()):
            found.add(head[1].upper())
    return found


def _read_lone_line(body: str, texts: OptionTexts) -> Reading | None:
    """The last line that is an option and nothing else, in no list of options."""
    for match in reversed(list(_LONE_LINE.finditer(body))[-40:]):
        if found := stands_alone(body, match.span(), _lines_beside(body, match), texts):
            return Reading(found, match.start(), match.end(), "a line of its own")
    return None


def _lines_beside(body: str, line: re.Match[str]) -> list[tuple[int, int]]:
    """The spans of the lines before and after that are not blank."""
    before = len(body[: line.start()].rstrip())
    after = len(body) - len(body[line.end() :].lstrip())
    spans = (body.rfind("\n", 0, before) + 1, before), (after, body.find("\n", after) if "\n" in body[after:] else len(body))
    return [(start, end) for start, end in spans if end > start]


def _without_end(sentence: str, letter: str, texts: OptionTexts) -> str:
    return soft_key(sentence)[: -len(texts.soft[texts.letters.index(letter)])]


def _read_bold(body: str, start: int, texts: OptionTexts) -> str | None:
    """The option in bold in the last line, or the only one that is in bold anywhere."""
    in_line = [found for bold in _BOLD.findall(body[start:]) if (found := read_whole(bold[0] or bold[1], texts))]
    if in_line and not read_item(body[start:]):
        return in_line[-1] if len(set(in_line)) == 1 else HEDGE
    anywhere = {found for bold in _BOLD.findall(body)[-100:] if (found := read_whole(bold[0] or bold[1], texts))}
    return anywhere.pop() if len(anywhere) == 1 else None
