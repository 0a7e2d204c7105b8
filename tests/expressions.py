"""The part of GitHub's expression language that the action and the workflows of this repository use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Contexts = Mapping[str, Any]
PIECE = re.compile(r"\$\{\{(.*?)\}\}", re.S)
_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_][\w.-]*(?:\.\*)?)|(==|!=|&&|\|\||[!(),\[\]]))")
STATUS = ("success", "failure", "cancelled", "always")


def tokens_of(text: str) -> list[str]:
    """The tokens of an expression. Raises ValueError for anything outside the part of the language."""
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot read {text[at:]!r} in the expression {text!r}")
        found.append(match.group().strip())
        at = match.end()
    return found


def names_in(text: str) -> list[str]:
    """The names of contexts that an expression reads, such as inputs.model."""
    return [token for token in tokens_of(text) if "." in token and not token.startswith("'")]


class _Reader:
    """Recursive descent, loosest first: ||, &&, == and !=, !, then names, calls, strings and brackets."""

    def __init__(self, text: str, contexts: Contexts, calls: Mapping[str, Callable[..., Any]]) -> None:
        self.tokens = tokens_of(text)
        self.contexts = contexts
        self.calls = calls

    def take(self, *wanted: str) -> str | None:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in wanted else None

    def either(self) -> Any:
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value or other
        return value

    def both(self) -> Any:
        value = self.equal()
        while self.take("&&"):
            other = self.equal()
            value = other if value else value
        return value

    def equal(self) -> Any:
        value = self.single()
        while sign := self.take("==", "!="):
            same = _plain(value) == _plain(self.single())
            value = same if sign == "==" else not same
        return value

    def single(self) -> Any:
        if self.take("!"):
            return not self.single()
        if self.take("("):
            value = self.either()
            self.close(")")
            return value
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self.take("("):
            return self.call(token)
        return self.context(token)

    def call(self, name: str) -> Any:
        values = []
        while not self.take(")"):
            values.append(self.either())
            self.take(",")
        return self.calls[name](*values)

    def close(self, sign: str) -> None:
        if not self.take(sign):
            raise ValueError(f"{sign} is missing before {self.tokens}")

    def context(self, name: str) -> Any:
        """GitHub gives an empty text for an unknown name; here the first two words must exist, or it is a mistake."""
        if name in ("true", "false"):
            return name == "true"
        first, *rest = name.split(".")
        value = self.contexts[first]
        for depth, word in enumerate(rest):
            value = (
                value[word] if depth == 0 and first == "inputs" else value.get(word, {}) if isinstance(value, Mapping) else {}
            )
        return "" if value == {} else value


def _plain(value: Any) -> Any:
    """Texts are compared without regard to case, as GitHub does."""
    return value.lower() if isinstance(value, str) else value


def evaluate(text: str, contexts: Contexts, calls: Mapping[str, Callable[..., Any]] | None = None) -> Any:
    """The value of one expression, without its ${{ }}."""
    reader = _Reader(text, contexts, calls or {})
    value = reader.either()
    if reader.tokens:
        raise ValueError(f"{reader.tokens} is left of the expression {text!r}")
    return value


def fill(text: str, contexts: Contexts) -> str:
    """The text with every ${{ }} replaced by its value, once: a value that holds ${{ }} is left as it is."""
    return PIECE.sub(lambda match: _text(evaluate(match[1], contexts)), text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
