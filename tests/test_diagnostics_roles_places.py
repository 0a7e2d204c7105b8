"""Characters are found in the tokens that hold them, in linear time, also where a character is split over tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from raml_eval.diagnostics.roles.places import text_and_ends, token_span

TORN = "\N{REPLACEMENT CHARACTER}"


class Bytes:
    """A token a byte, or of the two bytes of PAIRS, with windows counted."""

    PAIRS = ("ai", "t,", " W")

    def __init__(self) -> None:
        self.n_decoded = 0

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return [*text.encode()]

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        self.n_decoded += len(token_ids)
        return b"".join(self.PAIRS[i - 256].encode() if i >= 256 else bytes([i]) for i in token_ids).decode(errors="replace")


def library(kind: str) -> Any:
    """A tokenizer as Qwen has them (bytes, merged), or as Llama 2 has them (blanks as marks, unknown characters as bytes)."""
    tokenizers = pytest.importorskip("tokenizers")
    lines = ["Wait, hold on. Hold on; the answer is 12 等等 é 🙂", "await waiting Wait\n\nTherefore\nWait"] * 20
    if kind == "bytes":
        made = tokenizers.ByteLevelBPETokenizer()
        made.train_from_iterator(lines, vocab_size=330, show_progress=False)
        return made
    vocabulary = [("<unk>", 0.0), ("\u2581", -3.0), *((f"<0x{n:02X}>", -20.0) for n in range(256))]
    vocabulary += [(word, -4.0) for word in ("Wait", "\u2581Wait", "a", "w", "ait", "\u2581on", "\u2581hold", ",", "\n", ".")]
    made = tokenizers.Tokenizer(tokenizers.models.Unigram(vocabulary, 0, byte_fallback=True))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    steps = tokenizers.decoders
    made.decoder = steps.Sequence(
        [steps.Replace("\u2581", " "), steps.ByteFallback(), steps.Fuse(), steps.Strip(content=" ", left=1)]
    )
    return made


class Library:
    def __init__(self, kind: str) -> None:
        self.own = library(kind)

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return list(self.own.encode(text, add_special_tokens=False).ids)

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        return str(self.own.decode(list(token_ids), skip_special_tokens=skip_special_tokens))


TOKENIZERS = {"a byte a token": Bytes(), "bytes": Library("bytes"), "blanks": Library("blanks")}
PARTS = st.sampled_from(["Wait", " hold on", "é", "等等", "🙂", "\n", "\n\n", " ", ",", "x", "a", "ß"])


@given(st.lists(PARTS, max_size=12).map("".join), st.sampled_from([*TOKENIZERS]))
@example("🙂🙂🙂🙂🙂", "blanks")
@example("等等等等等等", "bytes")
@example("", "bytes")
def test_ends_are_the_whole_characters_of_every_prefix(text: str, name: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(text)
    whole, ends = text_and_ends(tokenizer, ids)
    assert whole == tokenizer.decode(ids)
    assert len(ends) == len(ids) + 1
    shown = 0
    for n, end in enumerate(ends):
        # A prefix has the characters of the text, then the parts of a torn one. "blanks" tears those before it, too.
        prefix = tokenizer.decode(ids[:n]).rstrip(TORN)
        shown = max(shown, len(prefix))
        assert end == shown
        assert whole.startswith(prefix)


def test_the_time_grows_linearly() -> None:
    counted = []
    for n in (100, 200):
        tokenizer = Bytes()
        text_and_ends(tokenizer, tokenizer.encode("Wait, 等 🙂. " * n))
        counted.append(tokenizer.n_decoded)
    assert counted[1] < 2.1 * counted[0]


def test_wrong_bytes_are_characters_too() -> None:
    ids = [65, *[0x80] * 30, 66]
    text, ends = text_and_ends(Bytes(), ids)
    assert text == "A" + TORN * 30 + "B"
    assert ends[-1] == len(text)
    assert ends == sorted(ends)


def test_a_tokenizer_that_mends_its_text_is_refused() -> None:
    class Mends(Bytes):
        def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
            return super().decode(token_ids).replace("aaaa", "a")

    with pytest.raises(ValueError, match="not that of their parts"):
        text_and_ends(Mends(), [97] * 8)


@pytest.mark.parametrize(
    ("ids", "word", "wanted"),
    [
        ([*b"so ", *b"Wait", 46], "Wait", (3, 7)),
        ([*b"so", 258, 256, 257], "Wait", (2, 5)),  # " W", "ai", "t,": the first and the last hold more than the word
        ([*"é等".encode(), 120], "等", (2, 5)),
        ([*"é等".encode(), 120], "x", (5, 6)),
        ([*b"Wait"], "Wait", (0, 4)),
    ],
)
def test_a_word_is_the_tokens_that_hold_it(ids: list[int], word: str, wanted: tuple[int, int]) -> None:
    text, ends = text_and_ends(Bytes(), ids)
    at = text.index(word)
    assert token_span(ends, at, at + len(word)) == wanted
