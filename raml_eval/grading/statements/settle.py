"""The statement that a text settles on, out of all that it makes: the last one that is neither denied nor doubted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from raml_eval.grading.extraction import Extraction
from raml_eval.grading.statements.places import Place

HEDGE = ""  # what is read where a statement names several answers
MOST_READ = 60  # places that are read, from the last on


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement as it was read: value HEDGE for several answers at once; start and end are positions in the text."""

    value: str
    start: int
    end: int
    rule: str
    closed: bool = False


Read = Callable[[Place], tuple[str, int] | None]

_SENTENCE = r"[^.!?\n。！？]"
_DENIED = re.compile(
    r"(?:\b(?:not|never|cannot|hardly)|n['’]t)[ \t]+(?:(?:the|my|really|to|ever|just)[ \t]+)?$|"
    r"(?:(?:\b(?:not|never|cannot|hardly)|n['’]t)\s+(?:[\w'’]+\s+){0,4}?"
    r"(?:think|believe|say|mean|true|case|sure|certain|agree|know|clear|convinced|claim|follow|suggest|imply|conclude|"
    r"accept)\b|"
    rf"\bwhether\b|\bnobody\b|\bno one\b|\bdoubt|\bdeny\b|\bneither\b|不(?:能|认为)|并非|並非){_SENTENCE}{{0,80}}$"
)
# What a sentence only supposes, or tells of others or of an earlier thought, counts where nothing else is said.
_SUPPOSED = re.compile(
    r"(?:\bif\b|\bsuppos(?:e|ing)|\bassum(?:e|ing)|\b(?:one|you|some|people|many|we|i)\s+(?:might|may|could|"
    r"would)\s+(?:be tempted to\s+)?"
    r"(?:think|say|assume|believe|expect|argue|choose|pick)|(?<!second )\bthought\b|\bmistak|\bmisconception|\btempt|"
    r"\binitial|\bat first\b|"
    rf"\bformat\b|\bexample\b|如果|假设|若){_SENTENCE}{{0,160}}$"
)
# What a remark tells of others, right before 'choose' or 'the answer is': "many would", "students often say".
_OTHERS = re.compile(
    r"\b(?:(?:many|some|most|few|several|others?|certain)(?:\s+of\s+\w+)?\s+(?:\w+\s+)?|(?:\w+\s+)?(?:people|students?|others|everyone|everybody|"
    r"someone|somebody|users?|readers?|candidates?|beginners?|learners?|test[- ]takers?)\s+)"
    r"(?:who\s+)?(?:(?:would|might|may|could|will|often|sometimes|usually|commonly|frequently|mistakenly|wrongly|incorrectly|"
    r"tend|to|be|also|still|even|easily)\s+){0,4}"
    rf"(?:(?:say|said|think|believe|claim|argue|assume|guess|answer|feel)\b{_SENTENCE}{{0,60}})?$|"
    r"\b(?:errors?|mistakes?|traps?|pitfalls?)\s+(?:\w+\s+){0,2}to\s+(?:\w+\s+)?$|"
    r"\b(?:wrongly|incorrectly|mistakenly|erroneously)\s+$"
)
_CONCLUDED = re.compile(
    rf"\b(?:so|but|then|thus|therefore|hence|however|now|actually)\b,?{_SENTENCE}{{0,60}}$|"
    rf"(?:因此|所以|因而|故而|综上|綜上|总之|總之|但是?|然而){_SENTENCE}{{0,60}}$"
)
_DOUBTED = re.compile(rf"{_SENTENCE}{{0,80}}?(?:[?？]|\bonly\s+if\b)")
_RHETORICAL = re.compile(rf"{_SENTENCE}{{0,80}}?(?:\bwhy|\bright|\bcorrect|n['’]t it)\?")
_IF = re.compile(r"[\s*_,)]{1,4}(?:if|unless|provided|in case)\b")
_WRONG = r"(?:incorrect|not\s+(?:correct|right|possible|true|the\b|valid|it\b)|wrong|false|a mistake|impossible|unlikely|out\b)"
_TAKEN_BACK = re.compile(
    rf"[\s*_`)\]}}$\"',;]{{0,8}}\b(?:is|was|are|were|would be|seems|has been)\s+(?:also\s+|clearly\s+|therefore\s+|simply\s+)?"
    rf"(?:{_WRONG}|ruled out|eliminated|excluded|not\b)|"
    rf"[\s*_`)\]}}$\"'.,;]{{0,8}}(?:(?:hmm+|wait|oh)[\s,.—-]{{1,4}})?(?:no|nope|wrong|incorrect|not so)[.!,;]|"
    rf"[\s*_`)\]}}$\"'.,;—-]{{0,8}}(?:(?:no|wait|hmm+|oh)[,.]?\s+){{0,2}}(?:but\s+)?(?:that|this|which)(?:['’]s|\s+is|\s+was|"
    rf"\s+would be)\s+"
    rf"(?:clearly\s+|also\s+)?{_WRONG}|\s*(?:项|項|选项)?(?:是)?(?:不对|不正确|错误|錯誤|错)"
)
_JOINT = re.compile(
    r"[\W_]*(?:(?:or|and|und|oder|et|ou|y|o|e|и|или|或|和|与|及|the|so|my|final|also|maybe|perhaps|possibly|either|correct|best|"
    r"right|"
    r"answer|text|textbf|quad|is)(?![a-z])[\W_]*){0,4}"
)
# Words with which a writer turns to another answer.
CHANGE = re.compile(
    r"\b(?:wait|actually|hmm+|hold on|no|correct(?:ion|ed|ing)|mistake|on second thought|instead|however|but|sorry|"
    r"scratch that|rather|"
    r"re-?(?:read|check|consider|evaluat|examin)\w*|double-?check\w*|let me|looking closer|choose|go with|pick|select)\b|不对|"
    r"等等|其实"
)
_ONE_SENTENCE = re.compile(r"[^.!?\n。！？]*")
_CORRECTED = re.compile(r"correct(?:ion|ed)|revis|updat")
_NEXT_QUESTION = re.compile(
    r"\n[ \t>#*_]{0,8}(?:question|q|problem|exercise|example)[ \t]*\d{0,4}[*_]{0,2}[:.]|<\|(?:im_|eot|end|start|user|"
    r"assistant)|</s>|\[/?inst\]|"
    r"\n(?:user|human|assistant)[ \t]*:|\n#{1,6}[ \t]*(?:instructions?|input|user|human)\b[ \t]*:?[ \t]*(?=\n)"
)
_NEXT_TURN = re.compile(
    r"<\|(?:im_|eot|start|user|assistant)|\n(?:user|human)[ \t]*:|"
    r"\n#{1,6}[ \t]*(?:instructions?|input|user|human)\b[ \t]*:?[ \t]*(?=\n)"
)


def cut_next_question(low: str) -> int:
    """Where the text goes on to a question of its own making, or to a turn of somebody else; its length where it does not."""
    match = _NEXT_QUESTION.search(low, 1)
    return match.start() if match else len(low)


def cut_next_turn(low: str) -> int:
    """Where a turn of somebody else begins; the length of the text where there is none."""
    match = _NEXT_TURN.search(low, 1)
    return match.start() if match else len(low)


def read_before(cut: int, size: int, read: Callable[[int], Extraction]) -> Extraction:
    """What read finds in a text of that size up to the cut, if that is an answer; else what it finds in all of it."""
    if cut < size and (found := read(cut)).answer is not None:
        return found
    return read(size)


def weigh(low: str, start: int, end: int) -> int:
    """2 for a statement at start..end that stands; 1 for one only supposed; 0 for one denied, doubted or taken back."""
    before, after = low[max(0, start - 200) : start], low[end : end + 120]
    if _TAKEN_BACK.match(after) or (_DOUBTED.match(after) and not _RHETORICAL.match(after)):
        return 0
    denied, supposed = _DENIED.search(before), _SUPPOSED.search(before) or _OTHERS.search(before)
    if denied is not None and not _concluded(before, denied.start()):
        return 0
    if supposed is not None and not _concluded(before, supposed.start()):
        return 1
    return 1 if _IF.match(after) else 2


def _concluded(before: str, start: int) -> bool:
    """Whether the sentence comes to a conclusion of its own after what stands at start: 'if x, y; so the answer is'."""
    return _CONCLUDED.search(before, start) is not None


def _stands_beside(low: str, end: int, start: int) -> bool:
    """Whether two statements, one that ends and one that begins, are made together, and the second corrects nothing."""
    if not end <= start <= end + 200 or _CORRECTED.match(low, start) or CHANGE.search(low, end, start):
        return False
    return _JOINT.fullmatch(low, end, start) is not None or _ONE_SENTENCE.fullmatch(low, end, start) is not None


def settle(low: str, places: Iterable[Place], read: Read, weight: int = 2) -> Reading | None:
    """The last statement of at least that weight; HEDGE where it stands beside another one that differs.

    places come in descending order (places.place_order), as far as they are needed.
    """
    last: Reading | None = None
    for place in islice(places, MOST_READ):
        if last is not None:
            if place.start >= last.start:
                continue  # inside the statement that decides
            if (place.end or place.at) < last.start - 200:
                break
        found = read(place)
        if found is None or weigh(low, place.start, found[1]) < (weight if found[0] else 1):
            continue
        if last is None:
            last = Reading(found[0], place.start, found[1], place.rule, place.closed)
            continue
        if found[0] != last.value and _stands_beside(low, found[1], last.start):
            return Reading(HEDGE, last.start, last.end, last.rule, last.closed)
        break
    return last
