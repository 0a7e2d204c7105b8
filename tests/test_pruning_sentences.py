"""Where sentences end, and where they do not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.diagnostics.pruning.sentences import ABBREVIATIONS, split_sentences


def split(text: str) -> list[str]:
    return [sentence.of(text) for sentence in split_sentences(text)]


CASES = [
    ("So 3. Yes! No? Then 4.", ["So 3.", " Yes!", " No?", " Then 4."]),
    ("It is 3.14 or 1,000.5 metres.", ["It is 3.14 or 1,000.5 metres."]),
    ("Use file.txt and a.b.c here.", ["Use file.txt and a.b.c here."]),
    ("Take e.g. 7. Then square it.", ["Take e.g. 7.", " Then square it."]),
    ("1. First.\n2. Second. Done.\n", ["1. First.\n", "2. Second.", " Done.\n"]),
    ("So it is 5. Next.", ["So it is 5.", " Next."]),  # 5. is no list mark here
    ('He said "no." Then left. (So it is.) Ok.', ['He said "no."', " Then left.", " (So it is.)", " Ok."]),
    ("a+b=3\nc+d=4\n\nok\n", ["a+b=3\n", "c+d=4\n\n", "ok\n"]),
    ("\n\n a", ["\n\n a"]),
    (" \n", [" \n"]),
    ("", []),
    ("Hmm... wait", ["Hmm...", " wait"]),
    ("we wait. no. wait", ["we wait.", " no.", " wait"]),
    # Chinese, Japanese
    ("等等。不对！是 3。", ["等等。", "不对！", "是 3。"]),
    ("他说“好。”然后走了。", ["他说“好。”", "然后走了。"]),
    ("约为 3.14 米，对吗？对", ["约为 3.14 米，对吗？", "对"]),
    # formulas and code on one line
    ("So $a. b$ holds. And \\(x. y\\) too.", ["So $a. b$ holds.", " And \\(x. y\\) too."]),
    ("It costs $5. Then $3 more.", ["It costs $5.", " Then $3 more."]),
    ("Call `f. g`. Done.", ["Call `f. g`.", " Done."]),
    ("An open \\( stays. So what.", ["An open \\( stays.", " So what."]),
    # blocks
    ("```\nx. y\n# a. b\n```\nEnd. Now.", ["```\n", "x. y\n", "# a. b\n", "```\n", "End.", " Now."]),
    ("\\[\na. b\n\\]\nOk. Go.", ["\\[\n", "a. b\n", "\\]\n", "Ok.", " Go."]),
    ("\\begin{align}\na. b\n\\end{align}\nOk. Go.", ["\\begin{align}\n", "a. b\n", "\\end{align}\n", "Ok.", " Go."]),
    ("$$\na. b\n$$\nOk. Go.", ["$$\n", "a. b\n", "$$\n", "Ok.", " Go."]),
    ("\\[ never closed\n\nOk. Go.", ["\\[ never closed\n\n", "Ok.", " Go."]),  # no formula goes on after a blank line
]


@pytest.mark.parametrize(("text", "sentences"), CASES)
def test_splits(text: str, sentences: list[str]) -> None:
    assert split(text) == sentences


@pytest.mark.parametrize(("abbreviation", "example"), ABBREVIATIONS.items())
def test_an_abbreviation_ends_no_sentence(abbreviation: str, example: str) -> None:
    assert abbreviation in example.lower()
    assert split(example) == [example]
    assert len(split(example.lower().replace(abbreviation, "word."))) == 2  # it is the table that holds it together


@given(st.text(alphabet='ab .!?。\n\t$\\()[]`1"”…', max_size=200))
def test_sentences_are_the_whole_text_in_order(text: str) -> None:
    found = split_sentences(text)
    assert "".join(one.of(text) for one in found) == text
    assert all(one.start < one.end for one in found)


@pytest.mark.parametrize("part", [".", "…", "(", "\\(", "$a. ", "e.g. ", "1. ", ". ", "\n", "```\n", "。", "`", '."'])
def test_no_text_takes_long(part: str) -> None:
    text = part * (100_000 // len(part)) + "x"
    start = time.process_time()
    split_sentences(text)
    assert time.process_time() - start < 20
