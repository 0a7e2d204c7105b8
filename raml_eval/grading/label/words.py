"""Words for true, false and uncertain in several languages, and which label of a closed set each one means."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from raml_eval.grading.text import soft_key

POSITIVE, NEGATIVE, UNKNOWN = 1, -1, 0

# "correct" after 'the answer is' says something about the answer and not about the statement.
OF_ANSWERS = frozenset({"correct", "incorrect", "right", "wrong"})
LETTERS = frozenset("tfuyn")
_WORDS = {
    POSITIVE: (
        "true|yes|correct|right|valid|entailed|entailment|entails|supported|supports|proved|proven|t|y|"
        "真|正确|正確|对|對|是|成立|vrai|oui|wahr|ja|"
        "verdadero|verdadera|sí|cierto|vero|vera|verdadeiro|verdadeira|sim|"
        "истина|истинно|верно|правда|да|はい|正しい|예|네|참|맞습니다|نعم|صحيح|"
        "doğru|evet|prawda|tak|đúng|benar"
    ),
    NEGATIVE: (
        "false|no|incorrect|wrong|invalid|contradiction|contradicted|contradictory|contradicts|refuted|refutes|disproved|"
        "not entailed|not-entailed|"
        "not_entailed|not entailment|non-entailment|not_entailment|f|n|"
        "假|错误|錯誤|错|否|不正确|不是|不成立|faux|non|falsch|nein|falso|falsa|não|ложь|"
        "ложно|неверно|нет|いいえ|偽|間違い|아니오|아니요|거짓|لا|خطأ|yanlış|hayır|fałsz|nie|sai|salah"
    ),
    UNKNOWN: (
        "uncertain|unknown|undetermined|undecided|undecidable|indeterminate|inconclusive|neutral|unclear|u|"
        "neither true nor false|neither|"
        "cannot be determined|can't be determined|can not be determined|cannot determine|"
        "not determined|not enough information|not enough info|"
        "insufficient information|not certain|not necessarily true|not determinable|unsure|"
        "不确定|不確定|无法确定|無法確定|不能确定|无法判断|未知|不明|"
        "incertain|indéterminé|inconnu|unbestimmt|ungewiss|unbekannt|unsicher|incierto|incierta|"
        "desconocido|indeterminado|incerto|sconosciuto|"
        "неизвестно|неопределенно|неопределённо|わからない|不確か|불확실|알 수 없음|알 수 없다|غير مؤكد|غير معروف"
    ),
}
# With a third label, these deny one and do not choose.
_ONLY_OF_TWO = frozenset({"not entailed", "not-entailed", "not_entailed", "not entailment", "non-entailment", "not_entailment"})
_MEANING = {word: meaning for meaning, words in _WORDS.items() for word in words.split("|")}


def meaning_of(label: str) -> int | None:
    """POSITIVE, NEGATIVE or UNKNOWN for a label that is one of the words; None for all others."""
    return _MEANING.get(soft_key(label).replace("’", "'"))


class Labels:
    """A closed set of labels with the words that mean each."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        own = {key: label for label in labels if (key := soft_key(label))}
        meanings = [meaning_of(label) for label in labels]
        # A meaning that two labels share, or none has, is no help.
        self.by_meaning = {
            m: label for label, m in zip(labels, meanings, strict=True) if m is not None and meanings.count(m) == 1
        }
        self.words = {word: self.by_meaning[m] for word, m in _MEANING.items() if m in self.by_meaning} | own
        self.only_two = len(labels) == 2
        if not self.only_two:
            self.words = {word: label for word, label in self.words.items() if word in own or word not in _ONLY_OF_TWO}
        longest_first = sorted(self.words, key=len, reverse=True)
        written = "|".join(
            re.escape(word).replace("'", "['’]").replace(r"\ ", r"\s+") + _boundary(word) for word in longest_first
        )
        self.pattern = re.compile(f"(?:{written})" if written else r"(?!)")

    def label_of(self, word: str) -> str:
        """The label that a match of pattern means."""
        return self.words[re.sub(r"\s+", " ", word.replace("’", "'"))]


def _boundary(word: str) -> str:
    return r"(?![\w'’]|-\w)" if word[-1].isascii() or (word[-1].isalpha() and word[-1] < "\u0500") else ""


@functools.lru_cache(maxsize=256)
def label_words(labels: tuple[str, ...]) -> Labels:
    """The labels ready to be looked for, made once for the many samples of a task."""
    return Labels(labels)
