"""Choices in prose: 'option C is correct', 'I'd go with C', 'so C', and what the end of a text says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from raml_eval.grading.choice.after_phrase import read_after
from raml_eval.grading.choice.letters import LONE_LETTERS, read_whole
from raml_eval.grading.choice.option_lines import read_item, read_line, stands_alone
from raml_eval.grading.choice.option_text import OptionTexts
from raml_eval.grading.statements.places import MOST, Place, place_order
from raml_eval.grading.statements.settle import HEDGE, Reading
from raml_eval.grading.text import soft_key

_CHOSEN = re.compile(
    r"\b(?:(?:i|we|you)(?:['’](?:d|ll)|\s+would|\s+will|\s+should)?\s+(?:say|answer|guess|vote for)|choose|chose|select|pick|"
    r"go(?:ing)? with|opt for|settle on|lean(?:ing)? towards?|inclined towards?|"
    r"stick with|choisis|elijo|escolho|scelgo|wähle|выбираю)\b[,:]?[ \t]*(?:(?:it(?:['’]s| is)|the answer is|option|choice|"
    r"answer)[ \t]+)?"
)
_POINTED = re.compile(
    r"\b(?:it(?:['’]s| is| must be| has to be| should be)|that(?:['’]s| is| must be| leaves)(?: us)?(?: only)?(?: with)?|"
    r"this (?:is|must be|leaves|means|gives)(?: us)?(?: only)?(?: with)?|"
    r"which (?:is|leaves)|leaving(?: us)?(?: only)?(?: with)?|leaves(?: us)?(?: only)?(?: with)?|left with(?: only)?|"
    r"(?:corresponds?|corresponding|points|leads?) to|match(?:es|ing)|must be|no,|mak(?:es|ing)|"
    r"best is|richtig ist|i\.e\.|namely|(?:correct|right|best|appropriate|suitable) [a-z]{3,15} (?:is|would be)|hence|"
    r"therefore|thus|so|consequently)[,:]?[ \t]+(?:it(?:['’]s| is| must be)[ \t]+)?(?:only[ \t]+)?"
)
_ONLY = re.compile(
    r"\bonly[ \t]+(?:option[ \t]+|choice[ \t]+)?(?=[(*]*[a-p]\b[)*]*[ \t]+(?:remains|is|fits|works|matches|satisf|lies|holds|"
    r"describes|makes|can))"
)
_RIGHT = (
    r"(?:(?:also|therefore|thus|clearly|definitely|indeed|probably)\s+)?(?:the\s+)?(?:only\s+)?(?:one\b|correct|right|best|"
    r"better|answer|option\s+that\b|choice\b|"
    r"most\s+(?:likely|appropriate|accurate|suitable|plausible)|true answer)"
)
_IS_RIGHT = re.compile(
    rf"\s(?:is|are|seems|must be|would be|looks|appears to be|est|ist|es|é|è)\s+(?:{_RIGHT}|richtig|correct[ae]?|"
    rf"corrett[ao])\b|\s(?:best\s+(?:describes|fits|matches|explains|answers)|fits\s+best|makes\s+(?:(?:the\s+)?most|more|better)\s+sense)\b"
)
# A change of mind that names the new option and no more: "Hmm, actually B."
_TURNED = re.compile(
    r"\b(?:actually|correction|wait|hmm+|sorry|scratch that)[,:.—–-]*[ \t]+(?:it(?:['’]s| is)[ \t]+)?"
    r"(?=[(*]{0,3}(?:option[ \t]+)?[(*]{0,3}[a-p][)*]{0,4}(?:[ \t]+instead)?[ \t]*(?:[.!]|$|\n))"
)
_SUBJECT = re.compile(
    r"[\s>#*_\-•\"'(|\d.)]*(?:(?:so|thus|therefore|hence|only|and|but|then|now|finally|clearly|consequently|conclusion|"
    r"accordingly|actually|no|wait|that|l['’]|la|die|the)[\s,:]+|l['’])*"
    r"(?:both\s+)?(?:options?|choice|answer|statement|letter|alternative|opción|opção|opzione|"
    r"alternativa)?[\s*_(\[]{0,5}(?P<letter>[A-P])(?![A-Za-z0-9_'’])[)\]*_.:,]{0,5}(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
_CLAUSES = re.compile(r"[!?\n。！？]|(?<!\b[A-P])\.(?=\s)|;|,\s+(?:so|but|and|while|whereas)\s")
_AND_OTHERS = re.compile(
    r"[\s,*_()\[\].]*(?:(?:and|or|,|/|&)[\s,*_()\[\].]*(?:option\s+)?[A-P][\s*_)\].]*)+(?:both)?\s*", re.IGNORECASE
)
_APPOSITION = re.compile(r"[*_)\]]{0,4}(?:\s*\([^()]{1,120}\)|,\s[^,]{1,120},)[*_]{0,3}\s")
_LONE_LINE = re.compile(r"^[ \t>*_`$(\[]{0,8}[A-P](?![A-Za-z0-9]|[ \t]+[a-z])[^\n]{0,400}$", re.MULTILINE)
# Right before the verb, a lone letter is its subject after one of these, whatever the sentence said before.
_DIRECT = re.compile(
    r"(?:[,:]|\b(?:that|think|believe|say|so|then|hence|thus|therefore|option|choice|answer|conclude|find|"
    r"see))[\s*_(\[]{1,5}([A-P])[)\]*_]{0,4}$"
)
_CJK_RIGHT = re.compile(r"(?:选项|選項)?[ \t]*([A-P])[ \t]*(?:项|項|选项|選項)?(?:是|为)?(?:正确|正確|对|對)")
_MARK = re.compile(r"(?:\b(correct|right)|([✓✅✔]))\ufe0f?[\s*_).|!]*$", re.MULTILINE | re.IGNORECASE)
_MARKED = re.compile(r"[ \t>*_\-•|(\d.]{0,12}(?:option[ \t]+)?[*_(\[]{0,3}([A-P])[)\].:*_|]{1,5}", re.IGNORECASE)
_MARK_FIRST = re.compile(
    r"^[ \t>*_\-•|(\d.]{0,12}(?:option[ \t]+)?[*_(\[]{0,3}([A-P])[)\].:*_|]{1,5}[\s*_|–:-]{0,4}(?:correct|"
    r"right)\b(?![ \t]+(?:that|in|about|but|only))|^[ \t*_\-•(]{0,8}([A-P])[)\].:*_]{1,4}[ \t]*[✓✅✔]",
    re.MULTILINE | re.IGNORECASE,
)
_UNMARKED = re.compile(r"\b(?:not|in|isn['’]t|nearly)[ \t*_]*$", re.IGNORECASE)
_INLINE_MARK = re.compile(r"(?<![A-Za-z0-9])\(?([A-P])\)?[ \t]*[:–-][ \t]*(?:correct|right|yes)\b", re.IGNORECASE)
_BOLD = re.compile(r"\*\*([^*\n]{1,1000})\*\*|__([^_\n]{1,1000})__")
_SENTENCES = re.compile(r"(?<=[.!?。！？])\s+(?=[A-Z(*\"“])|(?<=[。！？])|\n+")
_NAMED = re.compile(
    r"(?:\b(?i:options?|choices?|answers?|alternatives?|antwort|réponse|opción|opção|"
    r"opzione)[ \t]+[*_(]{0,3}([A-P])(?![A-Za-z0-9_'’])|(?<![A-Za-z0-9])\(([A-P])\))"
    r"((?:[*_)]{0,3}(?:,|[ \t]+and|[ \t]+or|[ \t]*&|/)[ \t]*(?:option[ \t]+)?[*_(]{0,3}[A-P](?![A-Za-z0-9_'’]))*)"
)
_BARE_LETTER = re.compile(r"(?<![A-Za-z0-9_'’-])([A-P])(?![A-Za-z0-9_'’-]|[ \t]*[=<>])")
_WORD_AFTER = re.compile(r"[ \t]+[a-z]")
_CUE = re.compile(
    r"\b(?:answer|option|choice|correct|right|best|strongest|select(?:ed)?|choose|chosen|pick|richtig|korrekt|correcte?|cevap|"
    r"odpowied\w+|resposta|respuesta|risposta)\b|正确|正確|答",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"\b(?:wrong|incorrect|false)[ \t]+(?:answer|option|choice|one)|"
    r"\b(?:your|their|(?:user|student|pupil|candidate)s?['’]s?)[ \t]+(?:\w+[ \t]+)?(?:answer|choice)\b|"
    r"\b(?:people|students|many|most|some|others)[ \t]+(?:\w+[ \t]+){0,2}"
    r"(?:say|think|believe|claim|choose|pick|select|answer)\b|"
    r"\b(?:not|never|nobody|cannot|neither|nor|than|over|instead|unlike|except|whether|if|which of|could|might|may|between)\b|"
    r"\b(?:consider(?:ing)?|start(?:ing)? with|look(?:ing)? at|examin(?:e|ing)|"
    r"check(?:ing)?|evaluat(?:e|ing)|analy[sz](?:e|ing)|"
    r"suppose|assume)[ \t]+(?:the[ \t]+)?(?:options?[ \t]+|choices?[ \t]+)?[*_(]{0,3}$|"
    r"n['’]t\b|不|非",
    re.IGNORECASE,
)
_AGAINST_AFTER = re.compile(
    r".{0,1500}?(?:\b(?:not|wrong|incorrect|false|ruled out|eliminated|impossible|fails?|"
    r"plausible|tempting|mistaken?|misconception)\b|[?？])",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(
    r"(?<![A-P])[.!?]\s+[*_(]{0,3}([A-P])[*_)]{0,3}(?:,?\s+(?:then|it is|is))?[.!*]*$|(?<![A-P])[\s\"”.]{1,3}(?:→|⇒|∴|=>|"
    r"->)\s*[*_(]{0,3}([A-P])[*_)]{0,3}[.!]*$"
)
_CONCLUSION = re.compile(
    r"\b(?:therefore|thus|so|hence|consequently|conclusion|conclude|must|in short|overall|finally|答案|因此|所以)\b",
    re.IGNORECASE,
)
_ENDS = re.compile(r"(?:\b(?:is|are|was|be|as|equals|to)\b|[:=：])[\s*_\"“]*(?:the\s+|an?\s+)?$", re.IGNORECASE)


def weak_places(text: str, low: str, start: int) -> list[Place]:
    """Statements in prose from a position on; those with an end are of the form 'C is correct', whose letter stands first."""
    places = [Place(m.start(), m.end(), None, "choice in words") for m in _CHOSEN.finditer(low, start)][-MOST:]
    for pattern in (_POINTED, _ONLY, _TURNED):
        places += [Place(m.start(), m.end(), None, "conclusion in words") for m in pattern.finditer(low, start)][-MOST:]
    places += [place for m in list(_IS_RIGHT.finditer(low, start))[-MOST:] for place in _subjects_of(text, m)]
    if not text.isascii():
        places += [Place(m.start(), m.start(1), m.end(), "option is correct") for m in _CJK_RIGHT.finditer(text, start)][-MOST:]
    return sorted(places, key=place_order, reverse=True)


def _subjects_of(text: str, verb: re.Match[str]) -> Iterator[Place]:
    """The letters that 'is correct' may be said of: the one before the verb, the sentence's first, the line's first."""
    before = text[max(0, verb.start() - 600) : verb.start()]
    line, sentence = before.rpartition("\n")[2], _CLAUSES.split(before)[-1]
    if (direct := _DIRECT.search(before)) is not None:
        at = verb.start() - len(before) + direct.start(1)
        yield Place(at, at, verb.end(), "option is correct")
        return
    for stretch in (sentence,) if line == sentence or read_item(line) is None else (sentence, line):
        match = _SUBJECT.fullmatch(stretch)
        if match is not None and match["letter"].isupper():
            start = verb.start() - len(stretch)
            yield Place(start, start + match.start("letter"), verb.end(), "option is correct")


def read_weak(text: str, place: Place, texts: OptionTexts) -> tuple[str, int] | None:
    """The letter of a statement in prose, and where it ends."""
    if place.end is None:
        return read_after(text, place.at, texts, strict=True)
    letter = text[place.at]
    if letter not in texts.letters:
        return None
    rest = text[place.at + 1 : place.end]
    verb = _IS_RIGHT.search(rest.lower())
    rest = rest[: verb.start()] if verb else ""
    bare = rest.strip(" ()[]*_.,:;–—-")
    if not bare or texts.is_text_of(letter, bare):
        return letter, place.end
    others = {name for name in LONE_LETTERS.findall(rest) if name in texts.letters and name != letter}
    if others:
        return (HEDGE, place.end) if _AND_OTHERS.fullmatch(rest) else None
    if not (len(rest) <= 120 and _APPOSITION.match(text, place.at + 1)):
        return None
    return letter, place.end


def closing_reading(text: str, low: str, texts: OptionTexts) -> Reading | None:
    """What the marks, the bold words or the last line of a text say, where no statement does."""
    marked = (_marked(text) | {m[1].upper() for m in _INLINE_MARK.finditer(text)}) & set(texts.letters)
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
    if told != line and read_item(line) is None and (value := read_line(told, texts)) is not None:
        return Reading(value, start, len(body), "last line, after a colon")
    last = _LAST_WORD.search(body, max(0, len(body) - 200))
    if last is not None and (last[1] or last[2]) in texts.letters:
        return Reading(last[1] or last[2], last.start(), len(body), "last words")
    sentence = _CLAUSES.split(line.rstrip(" .*_`"))[-1]
    if (
        (letter := texts.match_end(sentence))
        and _CONCLUSION.search(line)
        and _ENDS.search(_without_end(sentence, letter, texts))
    ):
        return Reading(letter, start, len(body), "last line, an option's text")
    return None


def _read_last_sentences(body: str, texts: OptionTexts) -> str | None:
    """The only option that the last sentence with any in it is for: '(C)', 'choice C', or a bare letter beside such a word."""
    sentences = _SENTENCES.split(body[-1500:])
    for sentence in reversed(sentences[-3:]):
        stated = [m for m in _NAMED.finditer(sentence) if not _is_against(sentence, m)]
        named = {name for m in stated for name in (m[1] or m[2], *LONE_LETTERS.findall(m[3]))}
        if not named and _CUE.search(sentence):
            bare = [m for m in _BARE_LETTER.finditer(sentence) if not (m[1] in "AI" and _WORD_AFTER.match(sentence, m.end()))]
            named = {m[1] for m in bare if not _is_against(sentence, m)}
        named &= set(texts.letters)
        if named:
            return named.pop() if len(named) == 1 else HEDGE
    return None


def _is_against(sentence: str, letter: re.Match[str]) -> bool:
    """Whether the sentence asks, supposes or denies what it says of the letter."""
    return _AGAINST.search(sentence, 0, letter.start()) is not None or _AGAINST_AFTER.match(sentence, letter.end()) is not None


def _marked(text: str) -> set[str]:
    """The letters of the lines that end with a mark such as 'correct'."""
    found = {(m[1] or m[2]).upper() for m in _MARK_FIRST.finditer(text)}
    for mark in list(_MARK.finditer(text))[-MOST:]:
        start = text.rfind("\n", 0, mark.start()) + 1
        head = _MARKED.match(text, start, mark.start())
        if head is not None and not _UNMARKED.search(text, start, mark.start()):
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
