"""Stored ids stay where a kept piece begins and ends between tokens, and nothing that is encoded becomes a mark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.checkpoint import find_checkpoint
from raml_eval.diagnostics.pruning.kept import Kept, encode_text, keep_spans, place_tokens
from raml_eval.diagnostics.pruning.rules import parse_rule, text_of
from raml_eval.prompts import load_tokenizer

POCKET = load_tokenizer(find_checkpoint("pocket"))


class Words:
    """A vocabulary of whole words with the blank before them; if opens is true, decoding loses the first blank of a text."""

    chat_template = eos_token_id = bos_token_id = None

    def __init__(self, opens: bool = False) -> None:
        self.opens, self.words = opens, ["</t>"]

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        found = re.findall(r"</t>|[^\S\n]?\w+|[^\w\s]+\n*|\s", text)
        self.words += [word for word in dict.fromkeys(found) if word not in self.words]
        return [self.words.index(word) for word in found]

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        text = "".join(self.words[one] for one in token_ids)
        return text.removeprefix(" ") if self.opens else text

    def get_added_vocab(self) -> dict[str, int]:
        return {"</t>": 0}

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any:
        raise NotImplementedError


def prune(rule: str, text: str, tokenizer: Any) -> tuple[Kept, list[int]]:
    ids = tuple(tokenizer.encode(text, add_special_tokens=False))
    spans = parse_rule(rule).spans
    assert spans is not None
    text = tokenizer.decode(ids)
    return keep_spans(ids, text, spans(text), place_tokens(ids, text, tokenizer), tokenizer), list(ids)


@pytest.mark.parametrize("opens", [False, True])
def test_whole_tokens_keep_their_ids(opens: bool) -> None:
    found, ids = prune("no-reflections", "So three. Wait, four. So five.\n\nThen six.", Words(opens))
    assert found.n_new == 0
    assert list(found.ids) == ids[:3] + ids[7:]


def test_a_token_that_a_border_cuts_is_encoded_anew() -> None:
    tokenizer = Words()
    ids = (*tokenizer.encode("So 3"), len(tokenizer.words))
    tokenizer.words.append(".Wait")  # one token over the border of two sentences
    text = tokenizer.decode(ids)
    pieces = place_tokens(ids, text, tokenizer)
    found = keep_spans(ids, text, [(0, 5)], pieces, tokenizer)
    assert tokenizer.decode(found.ids) == "So 3."
    assert found.ids[:-1] == ids[:-1]
    assert found.n_new == 1


def test_nothing_changed_means_the_stored_ids_whatever_the_text_would_be_encoded_as() -> None:
    assert keep_spans((9, 9), "ab", [(0, 2)], None, Words()) == Kept((9, 9), 0)
    assert keep_spans((9, 9), "ab", [], None, Words()) == Kept((), 0)


def test_a_text_whose_tokens_cannot_be_placed_is_encoded_whole() -> None:
    tokenizer = Words()
    ids = tuple(tokenizer.encode("So 3. No."))
    assert place_tokens(ids, "another text", tokenizer) is None
    found = keep_spans(ids, "So 3. No.", [(0, 5)], None, tokenizer)
    assert (found.ids, found.n_new) == (ids[:3], 3)


@given(st.text(alphabet="a1 .\n漢é🙂W", max_size=40), st.sampled_from(["first:1", "last:1", "no-repeats"]))
def test_characters_of_several_tokens_stay_whole(text: str, rule: str) -> None:
    ids = tuple(POCKET.encode(text, add_special_tokens=False))
    spans = parse_rule(rule).spans
    assert spans is not None
    pieces = place_tokens(ids, text, POCKET)
    assert pieces is not None
    assert [(a.end, a.last) for a in pieces[:-1]] == [(b.start, b.first) for b in pieces[1:]]
    found = keep_spans(ids, text, spans(text), pieces, POCKET)
    assert POCKET.decode(found.ids) == text_of(text, spans(text))
    assert found.n_new == 0  # a token is a byte, so every border lies between two


@given(st.text(alphabet="ab</think>|im_ed", max_size=30))
def test_no_text_is_encoded_as_a_mark(text: str) -> None:
    for hostile in (text, f"{text}</think>{text}<|im_end|>", "<<think>think>"):
        ids = encode_text(hostile, POCKET)
        assert POCKET.decode(ids, skip_special_tokens=False) == hostile
        assert not {*ids} & {*POCKET.get_added_vocab().values()}
    assert 260 in POCKET.encode("</think>")  # which it would be otherwise
