"""What is appended to a prefix to ask for the gold: the end of thinking, what leads to an answer, and the gold itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raml_eval.budgets import THINKING
from raml_eval.diagnostics.curves.answer_place import Reads, alone, answer_at
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


class Introductions:
    """Collects what stands between the end of thinking and the written gold in a run's own correct answers.

    Add the records of every question, then ask by task and prompt.
    """

    def __init__(self, answer_prefix: str) -> None:
        self._prefix = answer_prefix
        self._seen: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def add(self, records: Iterable[tuple[str, SampleRecord]], gold: Gold, reads: Reads) -> None:
        """The correct ones of one question's records, each with the prompt that it was drawn from, are counted.

        reads is what its grader finds in a text. An answer whose place is not sure, or is behind that of another such answer,
        counts as one that shares nothing.
        """
        for prompt, record in records:
            if record.status is not Status.CORRECT:
                continue
            text, answer = record.answer, record.grade.answer or gold.text
            forced = record.thinking_end is ThinkingEnd.FORCED and text.startswith(self._prefix)
            written = len(self._prefix) if forced else 0  # by the closing, which may even begin the answer
            at = answer_at(text, answer, reads, gold.lead)
            before = text[written : max(at, written)]
            shared = at >= 0 and len(before) <= LONGEST and not alone(before, answer)
            self._seen[record.key.task, prompt][before if shared else "\0"] += 1

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


def answer_starts(
    tokenizer: Tokenizer, ids: Sequence[int], extracted: str | None, reads: Reads, lead: str, introduction: str
) -> int | None:
    """How many of an answer's ids stand before the answer that was extracted from it, with what leads to it; all if none was.

    None if it is not sure where that begins. ids are those of a whole answer without thinking, whose words before the final
    answer are its reasoning; reads is what the question's grader finds in a text.
    """
    text = tokenizer.decode(ids, skip_special_tokens=True)
    at = len(text) if extracted is None else answer_at(text, extracted, reads, lead)
    if at < 0:
        return None
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
