"""Small tokenizers with the chat formats of the model families: one id per byte, then the family's own tokens."""

from __future__ import annotations

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
DEEPSEEK = ("<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>")
MARKS = ("<think>", "</think>")

CHATML_TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
CHATML_START = "{% if add_generation_prompt %}<|im_start|>assistant\n"
DEEPSEEK_TURNS = (
    "<｜begin▁of▁sentence｜>{% for m in messages %}{% if m.role == 'user' %}<｜User｜>{{ m.content }}"
    "{% elif m.role == 'assistant' %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}"
    "{% else %}{{ m.content }}{% endif %}{% endfor %}"
)

TEMPLATES = {
    "plain": CHATML_TURNS + CHATML_START + "{% endif %}",
    "drops_old_thinking": CHATML_TURNS + CHATML_START + "{% endif %}{# '</think>' #}",
    "qwen3": CHATML_TURNS
    + CHATML_START
    + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
    "qwen3_opens": CHATML_TURNS
    + CHATML_START
    + "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}"
    + "{% else %}{{ '<think>\n' }}{% endif %}{% endif %}",
    "opens": CHATML_TURNS + CHATML_START + "{{ '<think>\n' }}{% endif %}",
    "opens_without_newline": CHATML_TURNS + CHATML_START + "<think>{% endif %}",
    "opens_with_blank_line": CHATML_TURNS + CHATML_START + "{{ '<think>\n\n' }}{% endif %}",
    "never_thinks": CHATML_TURNS + CHATML_START + "{{ '<think>\n\n</think>\n\n' }}{% endif %}",
    "deepseek": DEEPSEEK_TURNS + "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}",
    "deepseek_opens": DEEPSEEK_TURNS + "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}",
    "deepseek_v3": DEEPSEEK_TURNS
    + "{% if add_generation_prompt %}<｜Assistant｜>{% if thinking %}<think>{% else %}</think>{% endif %}{% endif %}",
    "nemotron_v2": (
        "{% set ns = namespace(on=true) %}{% for m in messages %}"
        "{% if '/no_think' in m.content %}{% set ns.on = false %}{% endif %}"
        "<|im_start|>{{ m.role }}\n{{ m.content.replace('/no_think', '').replace('/think', '').strip() }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
        "{% if ns.on %}{{ '<think>\n' }}{% else %}<think></think>{% endif %}{% endif %}"
    ),
    "both_switches": (
        CHATML_TURNS + CHATML_START + "{% if enable_thinking is false or thinking is false %}<think>\n\n</think>\n\n"
        "{% endif %}{% endif %}"
    ),
    "user_only": "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role here') }}"
    "{% endif %}{{ m.content }}{% endfor %}",
}


def build_tokenizer(
    template: str | None, specials: tuple[str, ...] = CHATML, marks: tuple[str, ...] = MARKS
) -> PreTrainedTokenizerFast:
    """Ids 0 to 255 are the bytes in the order of ByteLevel's sorted alphabet ('!' is 0), then specials, then marks."""
    return _with_tokens({}, [], template, specials, marks)


def build_opening_tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    """A ChatML tokenizer that begins every text with <|endoftext|> (256), as Llama's does with its begin-of-text."""
    tokenizer = build_tokenizer(template)
    begin = processors.TemplateProcessing(single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 256)])
    tokenizer.backend_tokenizer.post_processor = begin
    return tokenizer


def build_merging_tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    """A ChatML tokenizer without marks in which '</', '.</', 'think', '>' with a line break and two line breaks are tokens.

    So are they in Qwen2.5's vocabulary: the delimiter's tokens depend on what stands beside it.
    """
    merges = [("<", "/"), (".", "</"), (">", "Ċ"), ("t", "h"), ("i", "n"), ("th", "in"), ("thin", "k"), ("Ċ", "Ċ")]
    return _with_tokens({"".join(pair): 256 + i for i, pair in enumerate(merges)}, merges, template, CHATML, ())


def build_metaspace_tokenizer() -> PreTrainedTokenizerFast:
    """One id per character, its ASCII code, and 0 for the blank before every text, as in SentencePiece."""
    codes = {chr(code): code for code in (10, *range(33, 127))}
    core = Tokenizer(models.BPE(vocab={"▁": 0} | codes, merges=[]))
    core.normalizer = normalizers.Prepend("▁")
    return PreTrainedTokenizerFast(tokenizer_object=core, clean_up_tokenization_spaces=False)


def _with_tokens(
    more: dict[str, int],
    merges: list[tuple[str, str]],
    template: str | None,
    specials: tuple[str, ...],
    marks: tuple[str, ...],
) -> PreTrainedTokenizerFast:
    vocabulary = {char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))} | more
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(token, special=True) for token in specials])
    core.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in marks])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=specials[-1],
        chat_template=TEMPLATES[template] if template else None,
        clean_up_tokenization_spaces=False,
    )
