"""Where a text may state its answer: boxes and their like, and phrases such as 'the answer is', in many languages.

A place says where an answer would begin; whether one stands there is for the reader of each kind to say. All patterns
are bounded, so the time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

from raml_eval.grading.statements.boxes import find_boxes

LONGEST = 2000  # characters of one place that are read
MOST_WORDED = 100
MOST = 300  # places of one sort, counted from the end; a text has a few, unless it was written to cost time


@dataclass(frozen=True, slots=True)
class Place:
    """start: where the statement begins; at: where its answer begins; end: where that ends, None if it is open.

    closed: the text itself says where the answer ends (see Extraction.closed).
    """

    start: int
    at: int
    end: int | None
    rule: str
    closed: bool = False


_LOOSE_BOX = re.compile(
    r"(?<![\\\w])(?:\\\\+)?b?oxed\s*\{([^{}\n]{1,200})\}|\\boxed\s*(?:\(([^(){}\n]{1,200})\)|([A-Za-z0-9])(?![A-Za-z0-9]))"
)
_TAG = re.compile(
    r"<(final_?answer|answer|choice|option|final|solution|result|label)>(.{0,2000}?)(?:</\1>|<(?:/|\1))",
    re.DOTALL | re.IGNORECASE,
)
_JSON = re.compile(
    r"""["'](?:final|correct|my|predicted)?[ _]?(?:answer|choice|option|selection|letter|label|prediction|verdict)"""
    r"""[ _]?(?:letter|choice|option|key|label)?["']\s*:\s*"""
    r"""(?:"([^"\n]{0,2000})"|'([^'\n]{0,2000})'|\[([^\]\n]{0,400})\]|([\w().]{1,40}))""",
    re.IGNORECASE,
)
_HASHES = re.compile(r"^####[ \t]*(\S[^\n]{0,2000})$", re.MULTILINE)
_BRACKETS = re.compile(r"\[\[([^\[\]]{1,400})\]\]|[【［]{1,2}([^【】［］\n]{1,400})[】］]{1,2}")


def formal_places(text: str) -> list[Place]:
    r"""Delimited answers: \boxed{...}, <answer>...</answer>, "answer": "...", #### ..., [[...]]."""
    places: list[Place] = []
    if "oxed" in text or "fbox" in text:
        places += [Place(start, at, end, "boxed", closed=True) for start, at, end in find_boxes(text)[-MOST:]]
        if len(places) < text.count("oxed"):
            places += _matches(_LOOSE_BOX, text, "box without its mark")
    if "</" in text:
        places += _matches(_TAG, text, "answer tag", skip=1, closed=True)
    if ":" in text and ('"' in text or "'" in text):
        places += _matches(_JSON, text, "JSON", closed=True)
    if "####" in text:
        places += _matches(_HASHES, text, "after ####")
    if "[[" in text or "【" in text or "［" in text:
        places += _matches(_BRACKETS, text, "in brackets", closed=True)
    return places


def _matches(pattern: re.Pattern[str], text: str, rule: str, skip: int = 0, closed: bool = False) -> list[Place]:
    found = []
    for match in pattern.finditer(text):
        group = next(number for number, content in enumerate(match.groups(), 1) if number > skip and content is not None)
        found.append(Place(match.start(), match.start(group), match.end(group), rule, closed))
    return found[-MOST:]


# Nouns that mean the answer itself.
_ANSWER = (
    "answers?|ans|réponses?|antwort|lösung|respuesta|resposta|risposta|antwoord|odpowied(?:ź|zią)|odpověď|cevap|yanıt|jawabann?y?a?|"
    "svaret|svar|đáp án|câu trả lời|ответ(?:ом|а)?|відповідь|उत्तर|คำตอบ|(?:ال)?[إا]جابة|(?:ال)?جواب"
)
# Nouns that mean the answer only with a word such as 'correct' beside them, or as a label before a colon.
_OPTION = (
    "options?|choices?|letter|alternative|selection|statement|one|opci[oó]n|opção|opzione|alternativa|letra|lettre|lettera|"
    "вариант|label|verdict"
)
_LABEL = (
    "solution|response|result|conclusion|correct(?:ion)?|decision|pick|key|gabarito|richtig|vote|corrig[eé]|respuesta final"
)
_NOUN = re.compile(f"(?:{_ANSWER})|({_OPTION})|({_LABEL})")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Where the nouns are looked for: finding plain text is many times faster than a pattern of so many words.
_STEMS = (
    *_words(
        "ans antwo respuesta resposta risposta odpowied cevap jawaban svar option choice letter alternativ selection statement"
    ),
    *_words("label verdict opcion opzione letra lettre solution result conclusion correct decision pick key"),
    *_words("gabarito richtig response vote"),
    "one is",
)
_FOREIGN_STEMS = _words(
    "répons lösung odpověď yanıt đáp trả ответ відповідь उत्तर คำตอบ إجاب اجاب جواب الإجاب الاجاب "
    "الجواب opción opção вариант corrigé"
)
_RIGHT = frozenset(
    _words(
        "correct correcta correcte correcto corretta correta right best final only appropriate likely suitable accurate "
        "plausible"
    )
    + _words(
        "reasonable my selected chosen valid true remaining matching bonne exacte richtige richtigen верный правильный juiste"
    )
)
_RIGHT_AFTER = re.compile(
    r"[ \t]+(?:(?:that|which)\b|(?:(?:is|más|more|più|mais|la|le|plus)[ \t]+)?(?:correct[aeo]?|corrett[ao]|corret[ao]|right|"
    r"best)\b)"
)
_NOT_ONE = frozenset(_words("possible all available following given other wrong incorrect candidate each every any an no"))
_OF_ANOTHER = re.compile(
    r"(?:\b(?:user|student|pupil|learner|candidate|respondent|person|participant|friend|colleague)(?:s?['’]s?)|\b(?:your|their|"
    r"his|her))[ \t]+(?:(?:final|own|given|chosen|selected|submitted|original|proposed|first)[ \t]+)?$"
)
_AGREED = re.compile(r"[^.!?\n]{0,60}?\b(?:which|that|and (?:it|that|this)) is (?:\w+ )?(?:correct|right)\b")
_LINE_START = re.compile(
    r"(?:^|\n)[\s>#*_\-•✅➡️\"'(]{0,12}(?:\d{1,2}[.)]\s{1,3})?(?:[*_]{0,3}(?:final|my|selected|corrected|overall)[ \t]+)?$"
)
_FILLER = (
    r"(?:[ \t]*\((?:s|[^()\n]{1,40})\)|[ \t]+(?:choice|option|letter|key|selection)(?:[ \t]*\([^()\n]{1,20}\))?|"
    r"[ \t]+(?:to|for|of|in|from|among|given|based on|according to|à|a|auf|на)[ \t]+[^.:;!?\n]{1,80}?|"
    r"[ \t]+(?:that|which|i|we|you)[ \t]+[^.:;!?\n]{1,60}?|,[ \t]*(?:therefore|thus|then|hence|however|indeed)[ \t]*,|"
    r"[ \t]+(?:therefore|thus|then|here|now|indeed|really|actually|clearly|probably|finale?|corretta|correta|exacte|"
    r"yang benar|đúng|"
    r"correct[aeo]?|finale|final|doğru|الصحيحة|الصحيح|النهائية|donc|верный|правильный))"
)
_IS = (
    r"is|are|was|be|being|(?:would|should|must|will|can only|has to|have to|ought to)[ \t]+be|"
    r"(?:seems?|appears?|turns out|comes out)[ \t]+to[ \t]+be|remains|becomes|"
    r"est|serait|lautet|ist|wäre|es|sería|é|seria|è|sarebbe|jest|je|adalah|är|là|является|هي|هو|है"
)
_ADVERB = (
    r"(?:[ \t]*,?[ \t]*(?:therefore|thus|then|hence|indeed|clearly|likely(?:[ \t]+to[ \t]+be)?|probably|definitely|simply|just|"
    r"actually|obviously|most[ \t]+(?:likely|probably)|best[ \t]+(?:described|represented)[ \t]+(?:as|by)|given[ \t]+by|"
    r"represented[ \t]+by|found[ \t]+in|donc|also|daher|somit|portanto|quindi|por[ \t]+(?:lo[ \t]+)?tanto),?(?![\w]))?"
)
_MARK = r"[*_\"'`”’)\]]{0,4}"
_TAIL = re.compile(
    rf"(?:{_FILLER}){{0,2}}[ \t\xa0]*{_MARK}[ \t\xa0]*"
    rf"(?:(?<!\w)(?:{_IS})(?![\w'’]){_ADVERB}[ \t]*{_MARK}[ \t]*[:：]?|[:：=→]|คือ|-+>|[-–—](?=[\s*]))[ \t\xa0]*{_MARK}"
)
_WORD_GOES_ON = re.compile(r"[^\W\d_\u0e00-\u0e7f]")
_HEADING = re.compile(r"[*_]{0,4}[ \t]*[:：]?[*_]{0,4}[ \t]*\n")
_BARE = re.compile(
    r"[ \t\xa0]{0,3}[*_]{0,3}[ \t\xa0]?(?=[(\[{]?[a-z][)\]}]?[*_]{0,3}[.\s]*(?:$|\n|है))|\.[ \t]*(?=[(a-z])|"
    r"\)[ \t]{1,3}(?=\(?[a-z]\)?\s*$)"
)
_CJK = re.compile(
    r"(?:(?:正确|正確|最终|最終|标准|標準)?(?:的)?(?:答案|选项|選項)|正解|答え|解答|正答|回答|정답|답안|(?<![가-힣])답|答(?=[：:])|结论|結論|結果|结果)"
    r"(?:[ \t]*[*_]{0,3}(?:应该|應該|应当|应|應|就|即|则|也|便|"
    r"选择|選擇|选项|選項|選択肢|选|選|是|为|為|项|項|[：:=】]|は(?!い)|이|은|는|을|最终|最終))"
    r"{1,5}[ \t]*[*_：:]{0,4}[ \t]*|而(?:应|應)?(?:该|該)?[是为為][ \t]*"
)
_CJK_CHOOSE = re.compile(
    r"(?:选择|選擇|选|選)(?![项項题題择擇手出取中举舉定])[ \t]*(?:答案|选项|選項)?[ \t]*[是为為：:]?[ \t]*[*_]{0,3}"
)


_CJK_CHARACTER = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


def phrase_places(text: str, low: str) -> Iterator[Place]:
    """What stands after 'the answer is', 'Answer:', 'correct option:' and their like, the last first; low is the lower case."""
    if _CJK_CHARACTER.search(low) is None:
        return _worded_places(low)
    cjk = [Place(m.start(), m.end(), None, "answer phrase") for pattern in (_CJK, _CJK_CHOOSE) for m in pattern.finditer(low)]
    return merge(sorted(cjk, key=place_order, reverse=True)[:MOST], _worded_places(low), key=place_order, reverse=True)


def place_order(place: Place) -> tuple[int, int]:
    """Sorts places by where their statements end; a box comes after the phrase that leads to it."""
    return place.end or place.at, place.start


def _worded_places(low: str) -> Iterator[Place]:
    for start in reversed(_find_stems(low)):
        noun = _NOUN.match(low, start)
        if noun is None or _WORD_GOES_ON.match(low, noun.end()):
            continue
        option, label = noun[1], noun[2]
        word = low[max(0, start - 24) : start].rstrip(" \t*_").rpartition(" ")[2].strip("*_(\"'\n")
        if word in _NOT_ONE and not option and not label:
            continue
        at_start = _LINE_START.search(low, max(0, start - 60), start) is not None
        if option and not (at_start or word in _RIGHT or _RIGHT_AFTER.match(low, noun.end())):
            continue
        tail = _TAIL.match(low, noun.end())
        if tail is None and not label:
            tail = (_HEADING.match(low, noun.end()) if at_start else None) or (None if option else _BARE.match(low, noun.end()))
        if tail is None or (":" not in tail[0] and _is_of_another(low, start, tail.end())):
            continue
        if not label or (at_start and (":" in tail[0] or "：" in tail[0])):
            yield Place(start, tail.end(), None, "answer phrase")


def _is_of_another(low: str, start: int, end: int) -> bool:
    """Whether 'answer is' at start..end tells what somebody else answered, and does not agree."""
    return _OF_ANOTHER.search(low, max(0, start - 60), start) is not None and _AGREED.match(low, end) is None


def _find_stems(low: str) -> list[int]:
    """Where a noun may begin, ascending; at most MOST_WORDED, the last."""
    found: set[int] = set()
    for stem in _STEMS if low.isascii() else (*_STEMS, *_FOREIGN_STEMS):
        end, left = len(low), MOST_WORDED
        while left and (end := low.rfind(stem, 0, end + len(stem) - 1)) >= 0:
            if not (end and low[end - 1].isalnum()):
                found.add(end)
                left -= 1
    return sorted(found)[-MOST_WORDED:]
