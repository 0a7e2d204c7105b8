"""raml_eval.codec: the tokenizer is the one that AutoTokenizer loads, and its codec gives the same ids and texts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from raml_eval.codec import PLAIN_MODELS, FastCodec, codec_of, load_library_tokenizer
from tests.families import TEMPLATES, build_tokenizer

POCKET = Path(str(resources.files("raml_eval") / "pocket"))
QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " 1+1 = ? <think> é漢🙂\n"}]


def copy_pocket(folder: Path, model: str, kind: str) -> Path:
    shutil.copytree(POCKET, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    for name, entry in (("config", {"model_type": model}), ("tokenizer_config", {"tokenizer_class": kind})):
        path = folder / f"{name}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **entry}))
    return folder


@pytest.mark.parametrize("kind", ["TokenizersBackend", "PreTrainedTokenizerFast", "Qwen2Tokenizer"])
@pytest.mark.parametrize("model", sorted(PLAIN_MODELS | {"qwen2", "qwen3_5", "mistral"}))
def test_it_is_what_auto_tokenizer_loads(tmp_path: Path, model: str, kind: str) -> None:
    folder = copy_pocket(tmp_path / "model", model, kind)
    found = load_library_tokenizer(folder)
    wanted = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    assert type(found) is type(wanted)
    assert found._tokenizer.to_str() == wanted._tokenizer.to_str()
    assert found.special_tokens_map == wanted.special_tokens_map
    assert found.chat_template == wanted.chat_template
    assert found.clean_up_tokenization_spaces == wanted.clean_up_tokenization_spaces
    for generation in (True, False):
        asked = {"tokenize": False, "add_generation_prompt": generation, "enable_thinking": False}
        assert found.apply_chat_template(QUESTION, **asked) == wanted.apply_chat_template(QUESTION, **asked)


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_saved_folders_of_all_formats_load_alike(tmp_path: Path, template: str) -> None:
    build_tokenizer(template).save_pretrained(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    found, wanted = load_library_tokenizer(tmp_path), AutoTokenizer.from_pretrained(str(tmp_path), local_files_only=True)
    assert type(found) is type(wanted)
    assert found._tokenizer.to_str() == wanted._tokenizer.to_str()
    assert (found.chat_template, found.eos_token_id, found.bos_token_id) == (
        wanted.chat_template, wanted.eos_token_id, wanted.bos_token_id,
    )  # fmt: skip


def test_pocket_is_loaded_without_torch() -> None:
    program = (
        "import sys; from pathlib import Path; from raml_eval.codec import codec_of, load_library_tokenizer; "
        f"codec_of(load_library_tokenizer(Path({str(POCKET)!r}))); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_folder_with_code_or_without_files_is_left_to_auto_tokenizer(tmp_path: Path) -> None:
    folder = copy_pocket(tmp_path / "model", "qwen3", "TokenizersBackend")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(Exception, match=r"tokenizer|backend"):
        load_library_tokenizer(folder)


TOKENIZER = load_library_tokenizer(POCKET)
CODEC = codec_of(TOKENIZER)


@settings(max_examples=200)
@given(st.text(), st.lists(st.integers(0, 260)), st.booleans())
def test_ids_and_texts_are_the_same(text: str, ids: list[int], special: bool) -> None:
    assert isinstance(CODEC, FastCodec)
    assert CODEC.encode(text, add_special_tokens=special) == TOKENIZER.encode(text, add_special_tokens=special)
    assert CODEC.decode(tuple(ids), skip_special_tokens=special) == TOKENIZER.decode(ids, skip_special_tokens=special)


def test_a_tokenizer_that_does_more_is_kept() -> None:
    tokenizer = load_library_tokenizer(POCKET)
    tokenizer.clean_up_tokenization_spaces = True
    assert codec_of(tokenizer) is tokenizer
    tokenizer.clean_up_tokenization_spaces = False
    tokenizer._tokenizer.enable_truncation(3)
    assert codec_of(tokenizer) is tokenizer
    tokenizer._tokenizer.no_truncation()
    assert isinstance(codec_of(tokenizer), FastCodec)

    class Other(type(tokenizer)):  # type: ignore[misc]
        def decode(self, token_ids: object, skip_special_tokens: bool = False, **more: object) -> str:
            return "other"

    tokenizer.__class__ = Other
    assert codec_of(tokenizer) is tokenizer
