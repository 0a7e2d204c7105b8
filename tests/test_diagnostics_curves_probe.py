"""What is appended to a prefix, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from raml_eval.diagnostics.curves.probe import PAPER, Introductions, answer_starts, encode_probe, lead_after
from raml_eval.diagnostics.subjects import Gold
from raml_eval.grading.kinds import extract_answer
from raml_eval.types import Grade, SampleRecord, Status, ThinkingEnd
from tests.factory import make_record
from tests.scripted import EOS, Letters

BOX = Gold("\\boxed{", "12")
MATH = partial(extract_answer, kind="math")
LABEL = partial(extract_answer, kind="label", options=("True", "False"))


class Pairs(Letters):
    """Characters, but for pairs that are one token."""

    pairs = {"{1": 1001, "34": 1002}  # noqa: RUF012

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        ids, at = [], 0
        while at < len(text):
            pair = self.pairs.get(text[at : at + 2])
            ids.append(pair or ord(text[at]))
            at += 2 if pair else 1
        return ids

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        words = {number: text for text, number in self.pairs.items()}
        return "".join(words.get(i) or Letters.decode(self, [i], skip_special_tokens) for i in token_ids)


def test_only_the_golds_tokens_are_scored() -> None:
    probe = encode_probe(Letters(), (2,), "\n\n\\boxed{", "12")
    assert probe.ids == (2, *map(ord, "\n\n\\boxed{12"))
    assert (probe.n_scored, probe.together) == (2, True)


def test_gold_and_lead_are_tokenised_together_where_the_border_is_a_tokens() -> None:
    probe = encode_probe(Pairs(), (), "x{", "345")
    assert probe.ids == (*map(ord, "x{"), 1002, ord("5"))
    assert (probe.n_scored, probe.together) == (2, True)


def test_a_token_across_the_border_is_not_written() -> None:
    probe = encode_probe(Pairs(), (2,), "x{", "12")
    assert probe.ids == (2, *map(ord, "x{12"))
    assert (probe.n_scored, probe.together) == (2, False)


def test_no_lead_scores_everything() -> None:
    assert encode_probe(Pairs(), (2,), "", "345") == encode_probe(Pairs(), (2,), "", "345")
    assert encode_probe(Pairs(), (2,), "", "345").n_scored == 2


class Blanked(Letters):
    """A vocabulary that writes a blank of its own before each text, as those of SentencePiece do."""

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [0x2581, *map(ord, text)]

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        return "".join(map(chr, token_ids)).lstrip("\u2581")


@pytest.mark.parametrize("lead", ["", "x{"])
def test_the_blank_that_begins_a_text_is_not_written(lead: str) -> None:
    probe = encode_probe(Blanked(), (2,), lead, "204")
    assert probe.ids == (2, *map(ord, f"{lead}204"))
    assert probe.n_scored == 3


def answered(text: str, status: Status = Status.CORRECT, end: ThinkingEnd = ThinkingEnd.NATURAL) -> tuple[str, SampleRecord]:
    record = make_record("sums", 0, 0, 64, status)
    return "thinking", replace(record, answer=text, thinking_end=end, grade=Grade(status, "12"))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["\n\n\\boxed{12}"] * 3 + ["So \\boxed{12}"] * 2, "\n\n"),
        (["\n\n\\boxed{12}", "So \\boxed{12}", "Then \\boxed{12}"], PAPER),
        (["x" * 61 + "\\boxed{12}"] * 3, PAPER),
        (["\\boxed{12}", "y" * 300 + "\\boxed{12}"], ""),
        (["It is \\boxed{7}, no, \\boxed{12}"], "It is \\boxed{7}, no, "),
        (["It is \\boxed{12}, not \\boxed{7}"], "It is "),
        (["It is \\boxed{12}, not \\boxed{120}"], "It is "),
        (["So 12"], "So "),
        (["12\n\nFor 3 + 9 = 12."], ""),
        (["12 it is, so \\boxed{12}"], PAPER),  # an introduction never holds the answer
        (["12 and 12 are 24."], PAPER),  # where the answer begins is not sure
        ([], PAPER),
    ],
)
def test_the_introduction_is_what_half_of_the_correct_answers_share(answers: list[str], expected: str) -> None:
    heard = Introductions("")
    heard.add([answered(text) for text in answers], BOX, MATH)
    heard.add([answered("wrong \\boxed{5}", Status.INCORRECT)] * 9, BOX, MATH)
    assert heard.of("sums", "thinking") == expected
    assert heard.of("sums", "off") == expected  # none of its own, so that of plain thinking


def test_what_the_closing_writes_is_not_written_twice() -> None:
    heard = Introductions("\n\n**Final Answer**\n")
    heard.add([answered("\n\n**Final Answer**\n\\boxed{12}", end=ThinkingEnd.FORCED)], BOX, MATH)
    assert heard.of("sums", "thinking") == ""


def test_a_forced_answer_that_the_closing_begins_has_no_introduction() -> None:
    closing = "\n\n**Final Answer**\n\\boxed{"
    heard = Introductions(closing)
    _, record = answered(f"{closing}True}}. The statement is True", end=ThinkingEnd.FORCED)
    record = replace(record, grade=Grade(Status.CORRECT, "True"))
    heard.add([("thinking", record)], Gold("\\boxed{", "True"), LABEL)
    assert heard.of("sums", "thinking") == ""


@pytest.mark.parametrize(
    ("text", "extracted", "introduction", "before"),
    [
        ("\\boxed{12}", "12", "", ""),
        ("3+9 is 12, so \\boxed{12}", "12", "", "3+9 is 12, so "),
        ("3+9 is 12.\n\n\\boxed{12}", "12", "\n\n", "3+9 is 12."),
        ("It is 12.", "12", "", "It is "),
        ("no idea", None, "", "no idea"),
        ("It is \\boxed{7}.", "12", "", None),  # of another version of the grader
    ],
)
def test_an_answers_reasoning_ends_where_its_answer_begins(
    text: str, extracted: str | None, introduction: str, before: str | None
) -> None:
    ids = (*map(ord, text), EOS)
    n = answer_starts(Letters(), ids, extracted, MATH, BOX.lead, introduction)
    assert (None if n is None else Letters().decode(ids[:n])) == before


@pytest.mark.parametrize(
    ("after", "introduction", "lead"),
    [
        ("", "\n\n", "\n\n\\boxed{"),
        ("\n\n", "\n\n", "\\boxed{"),
        ("x\n", "\n\n", "\n\\boxed{"),
        ("\n\n**Final Answer**\n\\boxed{", "\n\n", ""),
        ("I believe the answer is", "\n\n", "\n\n\\boxed{"),
    ],
)
def test_no_lead_is_written_twice(after: str, introduction: str, lead: str) -> None:
    assert lead_after(after, introduction, "\\boxed{") == lead


def test_a_gold_without_a_lead_keeps_the_introduction() -> None:
    assert lead_after("So", "The answer is ", "") == "The answer is "


def test_answers_without_thinking_have_their_own_introduction_if_they_share_one() -> None:
    heard = Introductions("")
    heard.add([answered("\n\n\\boxed{12}")], BOX, MATH)
    heard.add([("off", answered("So \\boxed{12}")[1]), ("effort:low", answered("x" * 61 + "\\boxed{12}")[1])], BOX, MATH)
    found = [heard.of("sums", prompt) for prompt in ("thinking", "off", "effort:low")]
    assert found == ["\n\n", "So ", "\n\n"]
    assert heard.of("logic", "off") == PAPER


def test_thinking_does_not_take_the_introduction_of_answers_without_it() -> None:
    heard = Introductions("")
    heard.add([("off", answered("So \\boxed{12}")[1])], BOX, MATH)
    assert heard.of("sums", "thinking") == PAPER
