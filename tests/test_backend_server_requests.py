"""What a reply must hold to count as the draw that was asked for, and how two servers are told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from raml_eval.backends.server_requests import Dialect, difference, reply_reader
from raml_eval.endpoint import BadReply
from raml_eval.types import Completion, Finish
from tests.backend_bench import params

PROMPT = (5, 6)
PARAMS = params(max_tokens=3, stop_ids=(9,), stop_strings=("stop",))
PROBED = Dialect(echoes=True, named="mine", counts=True)
TEXT = replace(PROBED, ids_in=False, ids_out=False, echoes=False)


class Letters:
    """One character for each id."""

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        return list(map(ord, text))

    def decode(self, token_ids: Any, skip_special_tokens: bool = False) -> str:
        return "".join(map(chr, token_ids))


def reply(ids: list[int], reason: str, **changes: Any) -> dict[str, Any]:
    choice = {"index": 0, "text": "", "token_ids": ids, "prompt_token_ids": list(PROMPT), "finish_reason": reason}
    whole: dict[str, Any] = {"model": "mine", "choices": [{**choice, **changes.pop("choice", {})}]}
    return {**whole, **changes}


def read(said: Any, dialect: Dialect = PROBED, n_vocab: int | None = 200) -> Completion:
    return reply_reader(PROMPT, PARAMS, dialect, Letters(), lambda text: text, n_vocab)(said)


@pytest.mark.parametrize(
    ("said", "finish"),
    [
        (reply([1, 2, 3], "length"), Finish.LENGTH),
        (reply([1, 9], "stop"), Finish.STOP),
        (reply([1, 2, 9], "length"), Finish.STOP),  # the stop is the last token that was allowed
        (reply([1, 9], "stop", choice={"index": 0}), Finish.STOP),
    ],
)
def test_a_draw_that_ended_as_was_asked_is_read(said: Any, finish: Finish) -> None:
    assert read(said) == Completion(tuple(said["choices"][0]["token_ids"]), finish)


def test_what_the_probe_did_not_see_is_not_asked_for() -> None:
    said = reply([1, 9], "stop", model="any", choice={"prompt_token_ids": None})
    assert read(said, Dialect()).token_ids == (1, 9)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (reply([1, 2], "length"), "ended early"),
        (reply([1, 2], "stop"), "ended early"),
        (reply([1, 2, 3, 4], "length"), "ended early"),
        (reply([1, 9], "length"), "ended early"),
        (reply([9, 2, 3], "length"), "goes on after"),
        (reply([9, 9], "stop"), "goes on after"),
        (reply([115, 116, 111, 112, 9], "stop"), "goes on after"),
        (reply([1, 2, 200], "length"), "token id 200, outside"),
        (reply([1, 2, -1], "length"), "token id -1, outside"),
        (reply([1, 9], "stop", model="other"), "from model 'other', not from 'mine'"),
        (reply([1, 9], "stop", model=None), "from model None"),
        (reply([1, 9], "stop", choice={"prompt_token_ids": [5, 7]}), "to another prompt"),
        (reply([1, 9], "stop", choice={"prompt_token_ids": None}), "does not say to which prompt"),
        (reply([1, 9], "stop", choice={"index": 1}), "1 draws"),
        (reply([1, 9], "stop", choices=[{"index": 1}, {"index": 0}]), "2 draws"),
        (reply([1, 9], "stop", choices=[]), "0 draws"),
        (reply([1, 9], "stop", choice={"token_ids": [1, True]}), "no token ids"),
    ],
)
def test_a_reply_that_is_no_such_draw_is_refused(said: Any, told: str) -> None:
    with pytest.raises(BadReply, match=told):
        read(said)


@pytest.mark.parametrize(
    ("reason", "usage", "good"),
    [
        ("length", {"completion_tokens": 3}, True),
        ("length", {"completion_tokens": 2}, False),
        ("stop", {"completion_tokens": 2}, True),
        ("stop", {"completion_tokens": 4}, False),
        ("length", {}, False),
        ("length", None, False),
    ],
)
def test_a_text_has_the_tokens_that_were_asked_for(reason: str, usage: Any, good: bool) -> None:
    said = {"model": "mine", "choices": [{"text": "ab", "finish_reason": reason}], "usage": usage}
    if good:
        assert read(said, TEXT).text == "ab"
    else:
        with pytest.raises(BadReply, match="ended early"):
            read(said, TEXT)
    assert read(said, replace(TEXT, counts=False)).text == "ab"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ids_in": False}, "only the first takes token ids"),
        ({"ids_out": False}, "only the first returns token ids"),
        ({"extended": False}, "only the first takes the fields of vLLM and SGLang"),
        ({"echoes": False}, "only the first returns the ids of the prompt"),
        ({"counts": False}, "only the first counts what it drew"),
        ({"honoured": frozenset({"seed"})}, "only the second honours seed"),
        ({"named": "other"}, "name the models 'mine' and 'other'"),
        ({"spelled": {}}, "name the fields of the sampling otherwise"),
    ],
)
def test_two_kinds_of_servers_are_told_apart_in_words(changes: dict[str, Any], told: str) -> None:
    assert told in difference(PROBED, replace(PROBED, **changes))
