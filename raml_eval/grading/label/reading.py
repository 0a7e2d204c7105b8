"""Which label a stretch of text names: 'definitely true', 'not true', 'not X but Y', 'true or false'."""

from __future__ import annotations

from raml_eval.grading.label.words import NEGATIVE, POSITIVE, UNKNOWN, Labels, meaning_of
from raml_eval.grading.statements.settle import HEDGE
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import soft_key

Found = tuple[str, int]  # a label, or HEDGE for several, and where it ends


def read_whole(content: str, labels: Labels) -> str | None:
    """The label that the whole content of a box, a tag or a line names; HEDGE for several, None for none."""
    short = soft_key(content)
    if short in labels.words:
        return labels.words[short]
    found = read_at(short, 0, labels)
    if found is None or (len(short) > 200 and short[found[1] :].strip(" .,;:!?)\"'")):
        return None
    return found[0]


def read_at(low: str, at: int, labels: Labels, of_answer: bool = True) -> Found | None:
    """The label that begins at a position, and where it ends; HEDGE for several.

    of_answer: what stands before is 'the answer is' or its like. Then 'correct' speaks of the answer and names no label,
    unless another subject follows: 'the answer is that the statement is correct'.
    """
    lead = PHRASES["label lead"].match(low, at, at + 300)
    start = lead.end() if lead else at
    of_answer = of_answer and PHRASES["about the matter"].search(low[at:start]) is None
    match = labels.pattern.match(low, start)
    if match is None:
        negated = PHRASES["label denied"].match(low, start)
        return _read_negated(low, start, negated.end(), labels) if negated else None
    if of_answer and match[0] in PHRASES.word_set("said_of_answers") and match[0] not in labels.labels:
        return None
    if match[0] in PHRASES.word_set("label_letter") and low[match.end() :].strip(" .)}\"'*$"):
        return None
    label = labels.label_of(match[0])
    other = _another(low, match.end(), label, labels)
    return (label, match.end()) if other is None else (HEDGE, other)


def _another(low: str, end: int, label: str, labels: Labels) -> int | None:
    """Where another label ends that is named beside the one which ended at end; None if there is none."""
    for joint in ("label chain", "or it might"):
        more = PHRASES[joint].match(low, end)
        other = labels.pattern.match(low, more.end()) if more else None
        if more is None or other is None or labels.label_of(other[0]) == label:
            continue
        if other[0] == "no" and PHRASES["no doubt"].match(low, other.end()):
            continue
        if more[0].strip() or _only_labels(low, end, labels):
            return other.end()
    return None


def _only_labels(low: str, start: int, labels: Labels) -> bool:
    """Whether the rest of the line is nothing but labels: 'true false uncertain'."""
    line = low[start : start + 200].partition("\n")[0]
    return not labels.pattern.sub("", line).strip(" .,;*")


def _read_negated(low: str, start: int, end: int, labels: Labels) -> Found | None:
    """The label that a denial from start to end, and the label behind it, come to.

    'not X but Y' is Y, 'not necessarily' is uncertain, 'not true' is false. To deny any other label chooses one only if
    there are two: then it is the other.
    """
    match = labels.pattern.match(low, end)
    if match is not None and (but := PHRASES["but rather"].match(low, match.end())) is not None:
        return read_at(low, but.end(), labels)
    if PHRASES["not sure"].match(low, start):
        return (labels.by_meaning[UNKNOWN], end) if UNKNOWN in labels.by_meaning else None
    if match is None:
        return None
    label, meaning = labels.label_of(match[0]), meaning_of(match[0])
    other = _another(low, match.end(), label, labels)
    if other is not None:  # 'not true or false' chooses neither
        return HEDGE, other
    if meaning is None and labels.only_two:
        return next((one for one in labels.labels if one != label), label), match.end()
    if meaning is None or not (labels.only_two or match[0] in PHRASES.word_set("false_if_denied")):
        return None
    opposite = {POSITIVE: NEGATIVE, NEGATIVE: POSITIVE}.get(meaning)
    return (labels.by_meaning[opposite], match.end()) if opposite in labels.by_meaning else None


def label_end(low: str, start: int, end: int, labels: Labels) -> int:
    """Where a line that names a label ends, without the other label that it names in brackets: 'true (not false)'."""
    opened = max(low.rfind("(", start, end), low.rfind("（", start, end))
    before = low[start:opened].rstrip() if opened >= 0 else ""
    aside = PHRASES["label aside"].match(low, start + len(before), end) if before else None
    other = labels.pattern.match(low, aside.end(), end) if aside else None
    return start + len(before) if other and not low[other.end() : end].strip("*_\"')） .") else end
