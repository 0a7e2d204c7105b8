"""A folder's tokenizer as transformers loads it, without the parts of transformers and of its calls that do nothing here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from raml_eval.protocols import Tokenizer

# Blanks at the start, marks of other alphabets and the beginnings of special tokens: what wrappers treat in their own way.
_PROBES = ("What is 1+1 ?", " one two  three .", "do n't", "\n\\frac{1}{2} é漢🙂", "<think>\n</think>", "<|im_end|></s>")
_N_IDS = 64  # of the first ids of the vocabulary, among which special tokens often are
# AutoTokenizer takes its plain class for a folder that names this class, and whose config names one of these models. To find
# that out, it imports the models' configurations, and torch with them: seconds that a run on a server's engine does not need.
_PLAIN_CLASSES = frozenset({"TokenizersBackend", "PreTrainedTokenizerFast"})
PLAIN_MODELS = frozenset(
    {
        *("deepseek_v2", "deepseek_v3", "exaone4", "gemma2", "gemma3", "gemma3_text", "glm4", "glm4_moe", "gpt_oss", "granite"),
        *("llama", "nemotron_h", "olmo2", "olmo3", "phi3", "qwen3", "qwen3_moe", "qwen3_next", "seed_oss", "smollm3"),
    }
)


def load_library_tokenizer(folder: Path) -> Any:
    """The tokenizer that transformers' AutoTokenizer loads from a folder. No code from the folder is run.

    Raises what transformers raises, which is of many types, if the folder has no usable tokenizer.
    """
    if _is_plain(folder):
        from transformers.tokenization_utils_tokenizers import TokenizersBackend

        return TokenizersBackend.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)


def _is_plain(folder: Path) -> bool:
    """True if it is certain that AutoTokenizer would take its plain class; tests/test_codec.py asks it."""
    try:
        config, told = (json.loads((folder / name).read_bytes()) for name in ("config.json", "tokenizer_config.json"))
        model, kind = config.get("model_type"), told.get("tokenizer_class")
        plain = isinstance(model, str) and model in PLAIN_MODELS and isinstance(kind, str) and kind in _PLAIN_CLASSES
    except (OSError, ValueError, AttributeError):
        return False
    # Versions before 5 had other classes, and the next ones may choose in another way.
    return plain and "auto_map" not in told and (folder / "tokenizer.json").is_file() and version("transformers")[:2] == "5."


class FastCodec:
    """A fast tokenizer's own library object, behind the interface of Tokenizer. Safe in several threads."""

    def __init__(self, library: Any) -> None:
        self._encode = library.encode
        self._decode = library.decode

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The ids of the text."""
        ids: list[int] = self._encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """The text of the ids."""
        text: str = self._decode(token_ids, skip_special_tokens=skip_special_tokens)
        return text


def codec_of(tokenizer: Tokenizer) -> Tokenizer:
    """What encodes and decodes as the tokenizer does, only faster; the tokenizer itself where that is not certain.

    It is certain for a tokenizer that has transformers' own methods, cleans no blanks up and cuts or pads no text, and which
    gives the same ids and texts in a few trials.
    """
    library = getattr(tokenizer, "_tokenizer", None)
    if library is None or not _is_thin(tokenizer, library):
        return tokenizer
    codec = FastCodec(library)
    try:
        same = all(_agree(tokenizer, codec, text) for text in _PROBES)
    except Exception:  # whatever another version of either library does not take
        return tokenizer
    return codec if same else tokenizer


def _is_thin(tokenizer: Any, library: Any) -> bool:
    """True if the methods are those of transformers' base classes, which then only call the library's."""
    try:
        from transformers.tokenization_utils_base import PreTrainedTokenizerBase
        from transformers.tokenization_utils_tokenizers import TokenizersBackend
    except ImportError:  # another version, with other classes
        return False
    kind = type(tokenizer)
    own = {"encode": PreTrainedTokenizerBase, "decode": PreTrainedTokenizerBase}
    inner = {"_decode": TokenizersBackend, "_encode_plus": TokenizersBackend}
    return (
        issubclass(kind, TokenizersBackend)
        and all(getattr(kind, name, None) is getattr(base, name, 0) for name, base in (own | inner).items())
        and not tokenizer.clean_up_tokenization_spaces
        and library.truncation is None
        and library.padding is None
    )


def _agree(tokenizer: Tokenizer, codec: Tokenizer, text: str) -> bool:
    ids = [tokenizer.encode(text, add_special_tokens=special) for special in (True, False)]
    if ids != [codec.encode(text, add_special_tokens=special) for special in (True, False)]:
        return False
    tried = (*ids, tuple(ids[0]), list(range(_N_IDS)), ())
    return all(
        tokenizer.decode(one, skip_special_tokens=skip) == codec.decode(one, skip_special_tokens=skip)
        for one in tried
        for skip in (True, False)
    )
