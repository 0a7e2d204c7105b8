"""What must not leave this machine: absolute paths, and texts like a token or a password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from raml_eval.manifest import model_parts

REMOVED = "[removed]"

# Names of what must stay private, as words: apiKey and API-KEY are both api, key.
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PRIVATE_NOUNS = frozenset(
    {"token", "secret", "secrets", "credential", "credentials", "auth", "authorization", "bearer", "cookie"}
)
_PRIVATE = (_PRIVATE_NOUNS - {"token"}) | {"passphrase", "pwd", "apikey"}
_KEYS = frozenset({"api", "access", "private", "secret", "ssh", "signing", "encryption", "account", "deploy"})
# A token of text, and no secret: eos_token, end_of_turn_token.
_OF_TEXT = frozenset(
    {"eos", "bos", "pad", "unk", "sep", "cls", "mask", "stop", "turn", "start", "end", "special", "per", "think"}
)

_KNOWN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:hf|api_org|npm|dckr_pat|wandb_v1)_[A-Za-z0-9_-]{16,}|\bsk-[\w-]{16,}|\bgh[pousr]_[A-Za-z0-9]{16,}"
    r"|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|\bxox[abeoprs]-[\w-]{10,}|\bAIza[\w-]{30,}"
    r"|\blocal-[0-9a-f]{40}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|(?<=://)[^/\s@]+@|\b[Bb]earer\s+(?=\S*[\dA-Z._~+/-])[\w.~+/-]{8,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+",
    re.DOTALL,
)
_AUTHORIZATION = re.compile(r"""\b(authorization["']?\s*[:=]\s*["']?)(?:[A-Za-z]+\s+)?[^\s"',;]+""", re.IGNORECASE)
_ASSIGNED = re.compile(r"""(?<![\w.-])([\w.-]+)(["']?\s*[:=]\s*)""")
_OPTION = re.compile(r"(?<![\w.-])(--[\w-]+)(\s+)(?!-)")
_VALUE = re.compile(r""""[^"]*"|'[^']*'|[^\s,;&"']+""")

# A path of at least two parts; what stands before it must not make it a web address or a hub id.
_PATHS = re.compile(
    r"\b[A-Za-z]:(?:[\\/][\w.@+-]+)+|(?<![\w\\])\\\\[\w.-]+(?:\\[\w.$@+-]+)+"
    r"|(?:(?<![\w:/.~-])|(?<=\w:)(?!//))(?:file://[\w.-]*)?(?:~[\w.-]*/[\w.@+-]+|/[\w.@+-]+/[\w.@+-]+)(?:/[\w.@+-]+)*/?"
)
_HOME = re.compile(
    r"(?:file://[\w.-]*)?(?:[A-Za-z]:)?[\\/](?:home|Users)[\\/][^\\/]+[\\/]?"
)  # its last part is a person's name
_TWO_PARTS = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


def without_secrets(value: Any) -> Any:
    """The value with each absolute path in its texts cut to the last part, and each token or password replaced.

    Secrets are known by their own form, or by the name before them. A key of bare hex digits looks like a commit, and stays.

    Example: without_secrets({"base": "/home/me/ckpt", "api_key": "x"}) == {"base": "ckpt", "api_key": "[removed]"}
    """
    if isinstance(value, Mapping):
        return {
            without_secrets(key): REMOVED if isinstance(key, str) and _is_private(key) else without_secrets(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(inner) for inner in value]
    if not isinstance(value, str):
        return value
    text = _AUTHORIZATION.sub(rf"\g<1>{REMOVED}", _KNOWN.sub(REMOVED, _bare(value)))
    for pattern in (_ASSIGNED, _OPTION):
        text = _without_assigned(text, pattern)
    return _PATHS.sub(lambda found: _last_part(found[0]), text)


def _is_private(name: str) -> bool:
    """True for the name of a token, a password or a key, in any spelling, and of the addresses of servers and clusters.

    Example: _is_private("hfToken") and not _is_private("eos_token")
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if not words:
        return False
    if name in ("base_url", "address"):  # servers and clusters may stand inside a private network
        return True
    before = words[-2] if len(words) > 1 else ""
    ends_in_key = any(first in _KEYS and second in ("key", "keys") for first, second in pairwise(words))
    token = words[-1].endswith("token") and before not in _OF_TEXT
    return token or ends_in_key or not _PRIVATE.isdisjoint(words) or any("passw" in word for word in words)


def _without_assigned(text: str, pattern: re.Pattern[str]) -> str:
    """The text without what it assigns to private names: api_key=..., "password": "...", --token ..."""
    parts, place = [], 0
    while found := pattern.search(text, place):
        name, sign = found.groups()
        value = _VALUE.match(text, found.end()) if _is_private(name) else None
        gone = value is not None and not _is_prose(name, sign, value[0])
        parts += [text[place : found.end()], REMOVED if gone else ""]
        place = value.end() if value and gone else found.end()  # what is no secret may hold one, as an address does
    return "".join([*parts, text[place:]])


def _is_prose(name: str, sign: str, value: str) -> bool:
    """True for a plain word or number behind a noun and a colon: the token: a word. A password may be any word."""
    return sign.strip() == ":" and name.lower() in _PRIVATE_NOUNS and re.fullmatch(r"[a-z]+|\d+", value) is not None


def public_model(model: Mapping[str, Any]) -> str:
    """The name of a manifest's model as the public may know it: the id of one from the hub, or the last part of a path.

    The model of an adapter's run is named by both, "BASE + ADAPTER".

    A name such as checkpoints/step_500 has the form of a hub id, so it is one only if the run recorded its origin. Runs of
    earlier versions and imported runs did not, and theirs is cut as a path is.

    Example: public_model({"name": "checkpoints/step_500", "origin": "folder"}) == "step_500"
    """
    return " + ".join(_public_part(*part) for part in model_parts(model))


def public_checkpoint(model: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says of a model, with its names as public_model gives them."""
    told = {**without_secrets(model), "name": public_model(model)}
    if adapter := model.get("adapter"):
        base, own = (_public_part(*part) for part in model_parts(model))
        told["adapter"] = {**without_secrets(adapter), "name": own, "base": base}
    return told


def _public_part(name: str, origin: str | None) -> str:
    name = name.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be written
    if origin != "hub":
        name = PureWindowsPath(name).name  # which parts at both kinds of slash
    return str(without_secrets(name)).strip(".") or "model"


def may_be_hub_id(model: Mapping[str, Any]) -> bool:
    """True if a manifest's model is named as on the hub, OWNER/NAME, and the run does not say where it came from.

    Example: may_be_hub_id({"name": "checkpoints/step_500"})
    """
    return "origin" not in model and bool(_TWO_PARTS.fullmatch(str(model.get("name"))))


def _bare(text: str) -> str:
    """The text, or its last part if the whole of it is an absolute path. One part alone may be no path, such as /no_think."""
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(text)
        if "\n" not in text and ((path.is_absolute() and len(path.parts) > 2) or re.match(r"~[^/\\]*[/\\]", text)):
            return _last_part(text)
    return text


def _last_part(path: str) -> str:
    return REMOVED if _HOME.fullmatch(path) else re.split(r"[/\\]", path.rstrip("/\\"))[-1] or REMOVED
