"""What is appended to a prefix to ask for the gold: the end of thinking, what leads to an answer, and the gold itself."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raml_eval.budgets import THINKING
from raml_eval.diagnostics.subjects import Gold
from raml_eval.prompts.rendering import continuation_ids
from raml_eval.protocols import Tokenizer
from raml_eval.types import SampleRecord, Status, ThinkingEnd, TokenIds

PAPER = "\n\n**Final Answer**\n"  # what the paper's notebook writes before \boxed{
LONGEST = 60  # characters of an introduction that counts as a habit; a longer text before an answer is reasoning
HABIT = 0.5  # the share of correct answers that must share it


@dataclass(frozen=True, slots=True)
class Probe:
    """The ids that follow a prefix; the last n_scored are the gold's. together tells how the border was tokenised (encode)."""

    ids: TokenIds
    n_scored: int
    together: bool


def encode_probe(tokenizer: Tokenizer, closing_ids: Sequence[int], lead: str, gold: str) -> Probe:
    """The ids of closing, lead and gold. Lead and gold are tokenised together, as a model would write them.

    If a token would straddle the border between the two, they are tokenised apart, as the paper tokenises the answer alone.
    """
    whole = continuation_ids(tokenizer, lead + gold)
    for n in range(len(whole) if lead else 1):
        begun = tokenizer.decode(whole[:n], skip_special_tokens=False) if n else ""
        if begun == lead:
            return Probe((*closing_ids, *whole), len(whole) - n, True)
        if len(begun) > len(lead):
            break
    own = continuation_ids(tokenizer, gold)
    return Probe((*closing_ids, *(continuation_ids(tokenizer, lead) if lead else ()), *own), len(own), False)


def lead_after(after: str, introduction: str, gold_lead: str) -> str:
    r"""What still leads to the gold after a text that may have begun to.

    Example: lead_after("\n\nSo: \\boxed{", "\n\n", "\\boxed{") == ""
    """
    lead = introduction + gold_lead
    if gold_lead and after.endswith(gold_lead):
        return ""
    shared = next((n for n in range(min(len(after), len(lead)), 0, -1) if after.endswith(lead[:n])), 0)
    return lead[shared:]


def answer_at(text: str, extracted: str, gold: Gold) -> int:
    r"""Where the answer that was extracted from a text begins, with what leads to it; -1 if it does not stand there.

    The last place with its lead counts, where no longer answer stands (\boxed{1} is not in \boxed{12}), or else the last lead.
    Without any lead, a text that begins with its answer has it there, whatever it says later, and others have it last.

    Example: answer_at("12. For 3 + 9 = 12.", "12", Gold("\\boxed{", "12")) == 0
    """
    alone = rf"(?<!\w){re.escape(extracted)}(?!\w)" if extracted.strip().isalnum() else re.escape(extracted)
    own = [match.start() for match in re.finditer(alone, text)]
    led = [at - len(gold.lead) for at in own if text.endswith(gold.lead, 0, at)] if gold.lead else []
    if led:
        return led[-1]
    if gold.lead and (at := text.rfind(gold.lead)) >= 0:
        return at
    if own and re.match(rf"\s*{re.escape(extracted)}\s*(?:[.,;:!\n]|$)", text):
        return own[0]
    return own[-1] if own else text.rfind(extracted)


class Introductions:
    """Collects what stands between the end of thinking and the written gold in a run's own correct answers.

    Add the records of every question, then ask by task and prompt.
    """

    def __init__(self, answer_prefix: str) -> None:
        self._prefix = answer_prefix
        self._seen: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(self, records: Iterable[tuple[str, SampleRecord]], gold: Gold) -> None:
        """The correct ones of the records, each with the prompt that it was drawn from, are counted."""
        for prompt, record in records:
            if record.status is not Status.CORRECT:
                continue
            text = record.answer
            if record.thinking_end is ThinkingEnd.FORCED:
                text = text.removeprefix(self._prefix)  # the closing already writes it
            at = answer_at(text, record.grade.answer or gold.text, gold)
            self._seen[record.key.task, prompt][text[:at] if 0 <= at <= LONGEST else "\0"] += 1

    def of(self, task: str, prompt: str) -> str:
        """The text that at least half of the task's correct answers to that prompt share.

        If none is shared, that of its answers after plain thinking, so that the curves of both prompts ask alike; or else the
        paper's.
        """
        own = self._shared(task, prompt)
        own = self._shared(task, THINKING) if own is None else own
        return PAPER if own is None else own

    def _shared(self, task: str, prompt: str) -> str | None:
        seen = self._seen.get((task, prompt), Counter())
        text, n = max(((one, n) for one, n in seen.items() if one != "\0"), key=lambda pair: pair[1], default=("", 0))
        return text if n and n >= HABIT * seen.total() else None


def answer_starts(tokenizer: Tokenizer, ids: Sequence[int], extracted: str | None, gold: Gold, introduction: str) -> int:
    """How many of an answer's ids stand before the answer that was extracted from it, with what leads to it; all if none was.

    ids are those of a whole answer without thinking, whose words before the final answer are its reasoning.
    """
    text = tokenizer.decode(ids, skip_special_tokens=True)
    at = answer_at(text, extracted, gold) if extracted else -1
    at = len(text) if at < 0 else at
    at -= len(introduction) if introduction and text[:at].endswith(introduction) else 0
    low, high = 0, len(ids)  # the most ids whose text is not longer than what stands before
    while low < high:
        middle = (low + high + 1) // 2
        if len(tokenizer.decode(ids[:middle], skip_special_tokens=True)) <= at:
            low = middle
        else:
            high = middle - 1
    while low and text[:at] and not tokenizer.decode(ids[low - 1 : low], skip_special_tokens=True):
        low -= 1  # ids without a text, such as the end of the turn, are no reasoning
    return low
