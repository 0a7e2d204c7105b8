"""The texts that may end a thinking, and what follows each of them to ask for the gold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raml_eval.diagnostics.curves.probe import Probe, encode_probe, lead_after
from raml_eval.diagnostics.subjects import Gold
from raml_eval.prompts import closing_ids, continuation_ids
from raml_eval.protocols import ChatTokenizer, Tokenizer
from raml_eval.thinking import ThinkingPolicy
from raml_eval.thinking_formats import CLOSINGS, ThinkingFormat, known_formats
from raml_eval.types import TokenIds

NOTHING, OWN, BARE = "nothing", "the run's own", "bare delimiter"
_MARK = re.compile(r"<[^<>\s]+>|\[[^\[\]]+\]|◁[^▷]+▷")


@dataclass(frozen=True, slots=True)
class Ending:
    """What is written to end a thinking. after is its end that already begins the answer; others are names of equal ids."""

    name: str
    ids: TokenIds
    after: str = ""
    others: tuple[str, ...] = ()

    def probe(self, tokenizer: Tokenizer, introduction: str, gold: Gold) -> Probe:
        """The ending, what leads to the gold as far as the ending has not written it, and the gold."""
        return encode_probe(tokenizer, self.ids, lead_after(self.after, introduction, gold.lead), gold.text)


def find_endings(
    tokenizer: ChatTokenizer, fmt: ThinkingFormat, policy: ThinkingPolicy, texts: Sequence[str], formats: bool = True
) -> list[Ending]:
    """Nothing, the run's own closing, the bare delimiter, the closings of the known formats that can be written, and the texts.

    Those of equal ids are one ending, with the first name. A format's closing can be written if every mark of its delimiter
    (</think>, [/THINK]) is a token of its own in this vocabulary: spelled in pieces, it would be no delimiter to the model.
    Without formats, the closings of formats are left out, the run's own format's and the paper's too.
    """
    found: dict[TokenIds, Ending] = {}
    for one in _endings(tokenizer, fmt, policy, texts, formats):
        first = found.get(one.ids)
        same = first and Ending(first.name, first.ids, first.after, (*first.others, one.name))
        found[one.ids] = same or one
    return list(found.values())


def _endings(
    tokenizer: ChatTokenizer, fmt: ThinkingFormat, policy: ThinkingPolicy, texts: Sequence[str], formats: bool
) -> Iterator[Ending]:
    yield Ending(NOTHING, ())
    yield Ending(OWN, policy.closing_ids, policy.answer_prefix)
    yield Ending(BARE, closing_ids(tokenizer, fmt, CLOSINGS["bare"]))
    if formats:
        yield from _of_formats(tokenizer, fmt)
    for text in texts:
        yield Ending(repr(text), continuation_ids(tokenizer, text), text)


def _of_formats(tokenizer: ChatTokenizer, fmt: ThinkingFormat) -> Iterator[Ending]:
    for name, closing in {**CLOSINGS, **fmt.closings}.items():
        if name != "bare":
            told = f"{fmt.name} {name}" if name in fmt.closings else name
            yield Ending(told, closing_ids(tokenizer, fmt, closing), closing.after)
    vocabulary = tokenizer.get_added_vocab()
    for other in known_formats().values():
        if other.name == fmt.name or not other.thinks or any(mark not in vocabulary for mark in _MARK.findall(other.closer)):
            continue
        for name, closing in {"": other.closing, **other.closings}.items():
            yield Ending(f"{other.name} {name}".strip(), closing_ids(tokenizer, other, closing), closing.after)
