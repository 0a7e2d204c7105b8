"""What follows 'the answer is' and its like, in texts whose answers are formulas or words rather than options."""

from __future__ import annotations

import re

PHRASE = re.compile(
    r"(?:最终)?答案(?:应该?)?[是为]?\s{0,2}[:：]?\s{0,4}|(?:^|\n)答[:：]\s{0,4}|故选\s{0,2}[:：]?\s{0,2}|答えは\s{0,2}|(?:정답|답)은?\s{0,2}[:：]?\s{0,4}|"
    r"\brespuesta(?:\s+final)?\s*(?:es|:)\s{0,4}|\bAntwort\s*(?:ist|lautet|:)\s{0,4}|\bréponse(?:\s+finale)?\s*(?:est|:)\s{0,4}|"
    r"\bответ\s*[:—]\s{0,4}|\bresposta(?:\s+final)?\s*(?:é|:)\s{0,4}|\brisposta(?:\s+finale)?\s*(?:è|:)\s{0,4}|\banswer\.\*\*\s{1,4}|"
    r"\b(?:answer|ans)\b(?:[ \t]to[ \t][^.:\n]{1,80}?)?(?:[*_\s]{0,4}(?:\b(?:is|(?:would|must|should|will)\s+be)\b|[:=：])"
    r"(?:[*_]{1,2}(?=[\s:]))?[\s:]{0,8}|[*_]{0,4}:?[*_]{0,4}[ \t]{0,4}\n\s{0,8})|"
    r"(?:^|\n)[#*_ \t]{0,8}(?:final[ \t])?answer[*_]{0,4}[ \t]{1,4}(?=\$\$|\\\[|\\begin\{)",
    re.IGNORECASE,
)
_DOUBTED = re.compile(
    r"\b(?:not true|not the case|doubt|unlikely|false|wrong|incorrect|n't think|not think)[^.!?\n]*$", re.IGNORECASE
)


def last_phrases(text: str) -> list[str]:
    """What follows the last 20 'answer is', 'answer:' or 'Answer' headings, the last first, up to 2,000 characters each."""
    ends = [
        match.end() for match in PHRASE.finditer(text) if not _DOUBTED.search(text[max(0, match.start() - 60) : match.start()])
    ]
    return [text[end : end + 2000] for end in reversed(ends[-20:])]
