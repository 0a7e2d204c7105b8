"""What stays of a thinking in token ids: stored ids where a kept piece begins and ends between tokens, new ones elsewhere."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from raml_eval.diagnostics.pruning.rules import Span, text_of
from raml_eval.prompts import continuation_ids
from raml_eval.protocols import ChatTokenizer, Tokenizer
from raml_eval.types import TokenIds

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_MOST = 16  # tokens of one character, at most: what is still unreadable then is so for good


@dataclass(frozen=True, slots=True)
class Kept:
    """The token ids of a shortened thinking. n_new of them were not drawn: a text was encoded to get them."""

    ids: TokenIds
    n_new: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens start to end of a thinking, which are its characters first to last."""

    start: int
    end: int
    first: int
    last: int


def place_tokens(ids: TokenIds, text: str, tokenizer: Tokenizer) -> list[Piece] | None:
    """Where the tokens stand in the text that they decode to. Tokens that share a character are one piece.

    Each token is decoded after the piece before it, since some vocabularies lose a blank at the beginning of a text. None if
    the pieces do not add up to the text.
    """
    pieces: list[Piece] = []
    before = start = at = 0  # the piece before, the piece that is open, and the character where it begins

    def decode(first: int, last: int) -> str:
        return tokenizer.decode(ids[first:last], skip_special_tokens=False)

    told = ""
    for end in range(1, len(ids) + 1):
        longer = decode(before, end)
        open_still = longer.endswith(_UNKNOWN) or len(longer) <= len(told)
        if open_still and end < len(ids) and end - start < _MOST:
            continue
        last = at + len(longer) - len(told)
        if not longer.startswith(told) or text[at:last] != longer[len(told) :]:
            return None
        pieces.append(Piece(start, end, at, last))
        before, start, at = start, end, last
        told = decode(before, end)
    return pieces if at == len(text) else None


def keep_spans(
    ids: TokenIds, text: str, spans: Sequence[Span], pieces: Sequence[Piece] | None, tokenizer: ChatTokenizer
) -> Kept:
    """The ids of what the spans keep of the text.

    A piece (place_tokens) that lies in a span keeps its stored ids. What a span keeps of any other piece is encoded. If the
    result does not decode to the kept text, or if the pieces are not known, all of the kept text is encoded.
    """
    wanted = text_of(text, spans)
    if wanted == text:
        return Kept(ids, 0)
    found: list[int] = []
    n_new, cut = 0, ""
    rest = list(spans)
    for piece in pieces or ():
        while rest and rest[0][1] <= piece.first:
            rest.pop(0)
        if rest and rest[0][0] <= piece.first and piece.last <= rest[0][1]:
            new = encode_text(cut, tokenizer)
            found += [*new, *ids[piece.start : piece.end]]
            n_new, cut = n_new + len(new), ""
            continue
        cut += "".join(text[max(a, piece.first) : min(b, piece.last)] for a, b in rest if a < piece.last)
    new = encode_text(cut, tokenizer)
    found, n_new = [*found, *new], n_new + len(new)
    if tokenizer.decode(found, skip_special_tokens=False) != wanted:
        whole = encode_text(wanted, tokenizer)
        return Kept(whole, len(whole))
    return Kept(tuple(found), n_new)


def encode_text(text: str, tokenizer: ChatTokenizer) -> TokenIds:
    """The ids of a text that is data: what spells a token of the vocabulary's own additions, such as </think>, never is one.

    Such a spelling is encoded in two parts, after its first character, so that it stays text and ends nothing.
    """
    if not text:
        return ()
    cuts = {0, len(text)}
    for mark in tokenizer.get_added_vocab():
        at = text.find(mark) if len(mark) > 1 else -1
        while at >= 0:
            cuts.add(at + 1)
            at = text.find(mark, at + 1)
    places = sorted(cuts)
    ids: list[int] = []
    for start, end in itertools.pairwise(places):
        ids += continuation_ids(tokenizer, text[start:end])
    return tuple(ids)
