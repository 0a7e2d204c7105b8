"""Labels of a closed set, such as true, false and uncertain: which one an answer settles on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from heapq import merge

from raml_eval.errors import TaskError
from raml_eval.grading.extraction import Extraction
from raml_eval.grading.label.words import LETTERS, NEGATIVE, OF_ANSWERS, POSITIVE, UNKNOWN, Labels, label_words, meaning_of
from raml_eval.grading.statements.places import MOST, Place, formal_places, phrase_places, place_order
from raml_eval.grading.statements.settle import HEDGE, Reading, cut_next_question, read_before, settle
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import lower, soft_key

_LEAD = re.compile(
    r"(?:[\s*_`$({\[<\"'“‘「『:：]|\\[(\[]|\\(?:text[a-z]*|math[a-z]*|boxed|fbox|large|bf|rm)\s*\{?|"
    r"(?:therefore|thus|hence|so|also|definitely|clearly|indeed|actually|simply|certainly|necessarily|logically|deductively|"
    r"still|then|"
    r"that|it(?:['’]s| is)|it is that|the (?:statement|conclusion|answer|label|claim|hypothesis|argument)(?: is)?|considered|"
    r"said to be|label(?:l?ed)?|as|an?)"
    r"(?![\w'])[\s,*_:]*){0,12}"
)
_NOT = re.compile(r"not\s+(?:(?:a|an|the|deductively|logically|actually)\s+)?")
_NOT_SURE = re.compile(r"not\s+(?:necessarily|certain|clear|known|determin|enough|sufficient|possible to)")
_BUT = re.compile(
    r"[\s*_`$)}\]\"',;.—–-]{0,6}(?:(?:but|rather|instead|sondern|mais|sino)\b|it\s+is\b|it['’]s\b)[\s,]*(?:(?:rather|instead|it\s+is|"
    r"it['’]s|is)\b[\s,]*)?"
)
_NOT_SO = re.compile(r"[\s*_,.;:]{1,6}(?:that|this|it)(?:['’]s|\s+is|\s+was)\s+not\b[^\S\n]*(?:the\s+case|true|so)\b")
_NO_NOUN = re.compile(r"\s+(?:doubts?|questions?|problem|matter|need|reason|exceptions?|wonder|mistake)\b")
_CHAIN = re.compile(
    r"[\s*_`$)}\]\"']{0,6}(?:,?\s*\b(?:or|and|nor)\b|/|\\?&|,|;|\||或者?|和|\s)[\s*_`$({\[\"'\\]{0,6}(?:text\{)?(?:possibly\s+|"
    r"maybe\s+|also\s+|even\s+)?"
)
_OR_IT_MIGHT = re.compile(
    r"[\s*_`$)}\]\"']{0,4}[.,;]?\s*(?:(?:or|but|and|though)\b[\s,]*)?(?:(?:it|the answer|that)\s+)?"
    r"(?:(?:could|might|may)\s+(?:also\s+|as well\s+)?be|or\s+(?:maybe|perhaps|possibly)|maybe|perhaps)\s+[(*_\"]{0,3}"
)
_STATEMENT = re.compile(
    r"(?:statement|conclusion|hypothesis|claim|proposition|argument|expression|sentence|value|assertion|inference|deduction|"
    r"relation(?:ship)?|sentiment|polarity|tone|"
    r"result|it|this|which|response|label|verdict)(?:\s+[\"“(][^\"”)\n]{1,300}[\"”)])?"
    r"\s+(?:is|evaluates\s+to|simplifies\s+to|must\s+be|has\s+to\s+be|would\s+be|should\s+be|remains|becomes|are|"
    r"can\s+only\s+be|turns\s+out\s+to\s+be)(?![\w'’])"
    r"|\b(?:it|that|this)['’]s(?!\w|\s+(?:\w+\s+)?true\s+that\b)"
    r"|(?:结论|結論|陈述|命题|命題|论断|说法|答案|结果)[^\n。，]{0,12}?(?:是|为|為)(?!否)"
)
_THEREFORE = re.compile(
    r"(?:(?<![\w])(?:so|therefore|thus|hence|consequently|conclusion|in short|overall)[,:]?\s+)(?=[*_\"(]{0,4}[^\W\d])|"
    r"(?<![=!<>])=(?=[\s*]*\w{1,12}[\s*.]*$)"
)
_YES_NO = re.compile(
    r"(?:^|\n|[.!?]\s+)[\s>*_\"'(]{0,6}(?=(?:yes|no|true|false|valid|invalid|uncertain|unknown)[*_\"')]{0,3}(?:[,.!:;—–-]|"
    r"\s*$|\s*\n)|not\s+\w+,?\s+but\s)"
)
_UNDECIDED = re.compile(
    r"(?:can(?:not|['’]t| not)|could not|impossible to|unable to|not possible to|(?:not enough|insufficient|no|lack of|"
    r"not sufficient) information\s+(?:\w+\s+){0,4}?to|do(?:es)? not (?:allow|permit) us to|"
    r"do(?:es)? not provide enough \w+ to)\s+(?:be\s+)?(?:definitively\s+|conclusively\s+|logically\s+)?(?:determined?|"
    r"decided?|concluded?|established?|know|known|inferred?|verif(?:y|ied)|say|said|ascertain(?:ed)?)|"
    r"\bneither\s+(?:be\s+)?(?:shown|proven?|proved|known|inferred|concluded|established|determined|verified|confirmed|deduced)\b"
    r"[^.!?\n]{0,60}?\bnor\b"
)
_ENTAILS = re.compile(r"(?<!not )(?:entails|logically follows|(?P<no>contradicts|is contradicted|refutes))(?![\w])")
_COLON = re.compile(r"[:：]\s*(?=[^:：\n]{1,60}$)")
_SENTENCES = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_CUE = re.compile(r"\b(?:is|be|as|therefore|thus|so|hence|conclud\w+)\b")
_UNSURE = re.compile(
    r"\b(?:not|never|neither|nor|whether|if|would|could|might|may|premises?|assum\w+|suppos\w+|either|or)\b|n['’]t\b|[?？]"
)
_BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")
_LINE = re.compile(r"^(?!\s*```)[^\n]*\S[^\n]*$", re.MULTILINE)


def extract_label(text: str, options: Sequence[str] = ()) -> Extraction:
    """The one label, as options spells it, that the text settles on.

    As for a choice the last statement decides that is neither denied nor doubted: a box, an answer tag, JSON, '####', 'the
    answer is', a line that is a label and nothing else; else 'the conclusion is false', 'so, no', 'it cannot be
    determined' and the like. Words that mean the same count, in several languages: yes or correct for true, unknown for
    uncertain; 'not true' is false. Several labels are no answer.
    """
    labels, low = label_words(tuple(options)), lower(text)
    return read_before(cut_next_question(low), len(text), lambda end: _extract(text[:end], low[:end], labels))


def _extract(text: str, low: str, labels: Labels) -> Extraction:
    def read(place: Place) -> tuple[str, int] | None:
        if place.end is None:
            return _read_at(low, place.at, labels)
        value = _read_whole(low[place.at : place.end], labels)
        return None if value is None else (value, place.end)

    formal = sorted([*formal_places(text), *_line_places(text, low, labels)], key=place_order, reverse=True)
    found = settle(low, merge(formal, _phrases(text, low), key=place_order, reverse=True), read)
    if found is None or found.value == HEDGE or PHRASES["change"].search(low, found.end):
        start = found.end if found else 0
        weak = settle(low, _statements(low, start, labels), _weak_reader(low, labels))
        if weak is not None and (
            found is None or (weak.value != HEDGE and PHRASES["change"].search(low[found.end : weak.end]))
        ):
            found = weak
    if found is None:
        found = _read_bold(text, labels) or _read_last_sentence(low, labels)
    if found is None:
        return Extraction(None, "nothing found")
    if not found.value:
        return Extraction(None, f"{found.rule}, several labels", found.closed)
    return Extraction(found.value, found.rule, found.closed)


def _phrases(text: str, low: str) -> Iterator[Place]:
    """The phrase places; of a 'the answer is' in Chinese that ends in a word for yes, the place before that word."""
    for place in phrase_places(text, low):
        at = place.at
        if at >= 2 and low[at - 1] == "是" and low[at - 2] in "是：: " and not low[at : at + 1].isalnum():
            at -= 1
        yield Place(place.start, at, None, place.rule)


def _read_whole(content: str, labels: Labels) -> str | None:
    short = soft_key(content).replace("’", "'")
    if short in labels.words:
        return labels.words[short]
    found = _read_at(short, 0, labels)
    if found is not None:
        return found[0] if not short[found[1] :].strip(" .,;:!?)\"'") or len(short) <= 200 else None
    return None


def _read_at(low: str, at: int, labels: Labels, of_answer: bool = True) -> tuple[str, int] | None:
    """The label that a phrase is followed by, and where it ends; HEDGE for several."""
    lead = _LEAD.match(low, at, at + 300)
    start = lead.end() if lead else at
    if (
        of_answer
        and low[at:start].strip()
        and re.search(r"\b(?:statement|conclusion|claim|hypothesis|argument)\b", low[at:start])
    ):
        of_answer = False
    match = labels.pattern.match(low, start)
    if match is None and (negated := _NOT.match(low, start)):
        return _read_negated(low, start, negated.end(), labels)
    if match is None or (match[0] in OF_ANSWERS and of_answer and match[0] not in labels.labels):
        return None
    if match[0] in LETTERS and low[match.end() :].strip(" .)}\"'*$"):
        return None
    value, end = labels.label_of(match[0]), match.end()
    for joint in (_CHAIN, _OR_IT_MIGHT):
        more = joint.match(low, end)
        other = labels.pattern.match(low, more.end()) if more else None
        if (
            other is not None
            and labels.label_of(other[0]) != value
            and not (other[0] == "no" and _NO_NOUN.match(low, other.end()))
            and (more is None or more[0].strip() or _only_labels(low, end, labels))
        ):
            return HEDGE, other.end()
    return value, end


def _only_labels(low: str, start: int, labels: Labels) -> bool:
    """Whether the rest of the line is nothing but labels: 'true false uncertain'."""
    line = low[start : start + 200].partition("\n")[0]
    return not labels.pattern.sub("", line).strip(" .,;*")


def _read_negated(low: str, start: int, end: int, labels: Labels) -> tuple[str, int] | None:
    """'not X but Y' is Y; 'not true' is false; 'not necessarily true' is uncertain; others need two labels."""
    match = labels.pattern.match(low, end)
    if match is not None and (but := _BUT.match(low, match.end())) is not None:
        return _read_at(low, but.end(), labels)
    if _NOT_SURE.match(low, start):
        return (labels.by_meaning[UNKNOWN], end) if UNKNOWN in labels.by_meaning else None
    meaning = meaning_of(match[0]) if match is not None else None
    if match is None or meaning is None:
        return None
    if not labels.only_two and match[0] not in ("true", "correct", "right"):
        return None
    opposite = NEGATIVE if meaning == POSITIVE else POSITIVE if meaning == NEGATIVE else None
    return (labels.by_meaning[opposite], match.end()) if opposite in labels.by_meaning else None


def _line_places(text: str, low: str, labels: Labels) -> list[Place]:
    """The first and the last line, where they are a label and nothing else."""
    tail = max(0, len(text) - 2000)
    first = [(m.start(), m.end(), "first line") for m in _LINE.finditer(text[:2000])][:1]
    last = [(tail + m.start(), tail + m.end(), "last line") for m in _LINE.finditer(text[tail:])][-1:]
    return [
        Place(start, start, end, rule)
        for start, end, rule in first + last
        if end - start <= 100 and soft_key(low[start:end].strip(" >#*-•")) in labels.words
    ]


def _statements(low: str, start: int, labels: Labels) -> list[Place]:
    """Statements in prose from a position on."""
    places = [Place(m.start(), m.end(), None, "statement") for m in list(_STATEMENT.finditer(low, start))[-MOST:]]
    places += [Place(m.start(), m.end(), None, "conclusion in words") for m in list(_THEREFORE.finditer(low, start))[-MOST:]]
    places += [Place(m.end(), m.end(), None, "yes or no") for m in list(_YES_NO.finditer(low, start))[-MOST:]]
    if UNKNOWN in labels.by_meaning:
        places += [Place(m.start(), m.start(), m.end(), "undecided") for m in list(_UNDECIDED.finditer(low, start))[-MOST:]]
    if {"entailment", "contradiction"} & {soft_key(label) for label in labels.labels}:
        places += [
            Place(m.start(), m.start(), m.end(), "entails or contradicts") for m in list(_ENTAILS.finditer(low, start))[-MOST:]
        ]
    return sorted(places, key=place_order, reverse=True)


def _weak_reader(low: str, labels: Labels) -> Callable[[Place], tuple[str, int] | None]:
    def read(place: Place) -> tuple[str, int] | None:
        if place.end is None:
            found = _read_at(low, place.at, labels, of_answer=False)
            agrees = (
                _NOT_SO.match(low, found[1])
                if found and place.rule == "yes or no" and meaning_of(found[0]) == NEGATIVE
                else None
            )
            return (found[0], agrees.end()) if found and agrees else found
        meaning = UNKNOWN if place.rule == "undecided" else NEGATIVE if _ENTAILS.match(low, place.at)["no"] else POSITIVE  # type: ignore[index]
        return (labels.by_meaning[meaning], place.end) if meaning in labels.by_meaning else None

    return read


def _read_bold(text: str, labels: Labels) -> Reading | None:
    """The label in bold in the last line that is not blank."""
    body = text.rstrip()
    start = body.rfind("\n") + 1
    named = {labels.words[word] for bold in _BOLD.findall(body[start:]) if (word := soft_key(bold)) in labels.words}
    return Reading(named.pop() if len(named) == 1 else HEDGE, start, len(body), "bold") if named else None


def _read_last_sentence(low: str, labels: Labels) -> Reading | None:
    """The label behind the last line's colon; else the one with which the last sentence ends, unless it denies or supposes."""
    body = low.rstrip(" \n.*_`\"'")
    start = body.rfind("\n") + 1
    colon = _COLON.search(body, start)
    if colon is not None and body[colon.end() :] in labels.words and body[colon.end() :] not in OF_ANSWERS:
        return Reading(labels.words[body[colon.end() :]], start, len(body), "last line, after a colon")
    sentence = _SENTENCES.split(body[-600:])[-1]
    last = max(labels.pattern.finditer(sentence), key=lambda match: match.end(), default=None)
    if last is None or last.end() < len(sentence) or len(last[0]) <= 3 or not _CUE.search(sentence, 0, last.start()):
        return None
    if last[0] in OF_ANSWERS or _UNSURE.search(sentence):
        return None
    return Reading(labels.label_of(last[0]), len(body) - len(sentence), len(body), "last sentence")


def gold_label(gold: str, options: Sequence[str]) -> str | None:
    """The label that a gold names, in any of its words; None where it names none."""
    return label_words(tuple(options)).words.get(soft_key(gold).replace("’", "'"))


def required_label(gold: str, options: Sequence[str]) -> str:
    """As gold_label; raises TaskError for a gold that is none of the labels."""
    label = gold_label(gold, options)
    if label is None:
        raise TaskError(
            f"the gold {gold[:80]!r} is none of the labels {', '.join(options)[:200] or '(there are none)'}; correct the "
            "task's target or its options."
        )
    return label
