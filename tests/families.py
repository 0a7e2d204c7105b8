"""Small tokenizers with the chat formats of the model families: one id per byte, then the family's own tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass

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


# One template per thinking format that can be detected, of the same structure as the family's own.
_EACH = "{% for m in messages %}"
_USER = "{% if m.role == 'user' %}"
_PAST = "{% elif m.role == 'assistant' %}"
_GO = "{% endfor %}{% if add_generation_prompt %}"
_OFF = "{% if enable_thinking is defined and not enable_thinking %}"


@dataclass(frozen=True)
class Family:
    """A chat template, its tokenizer's own tokens (special ones first, the last of which ends the turn), and its prompts.

    on and off are the prompts for the question "Hi" with thinking on and off, None where there is no such mode.
    """

    format: str
    template: str
    specials: tuple[str, ...]
    marks: tuple[str, ...]
    on: str | None
    off: str | None

    def tokenizer(self) -> PreTrainedTokenizerFast:
        tokenizer = build_tokenizer(None, self.specials, self.marks)
        tokenizer.chat_template = self.template
        return tokenizer

    def ids(self, text: str) -> tuple[int, ...]:
        """The golden ids: own tokens by their place, every other byte by its place in ByteLevel's alphabet."""
        own = (*self.specials, *self.marks)
        places = sorted(pre_tokenizers.ByteLevel.alphabet())
        encoder = {byte: places.index(char) for byte, char in _BYTES.items()}
        found: list[int] = []
        for part in re.split("(" + "|".join(map(re.escape, sorted(own, key=len, reverse=True))) + ")", text):
            found += [256 + own.index(part)] if part in own else [encoder[byte] for byte in part.encode()]
        return tuple(found)


def _byte_letters() -> dict[int, str]:
    """The letter of each byte in GPT-2's byte-level vocabulary: printable ones stand for themselves, others from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


_BYTES = _byte_letters()
_CHAT = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
_DS = "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>"
_SKIPPED = "<think>\n\n</think>\n\n"


def _chatml(format: str, start: str, opened: str | None, marks: tuple[str, ...], off: str | None = None) -> Family:
    """A family with ChatML's turns, whose generation prompt ends in start."""
    on = None if opened is None else _CHAT + opened
    return Family(format, CHATML_TURNS + CHATML_START + start + "{% endif %}", CHATML, marks, on, off and _CHAT + off)


def _switched(off: str, on: str = "") -> str:
    return _OFF + "{{ '" + off + "' }}{% else %}{{ '" + on + "' }}{% endif %}"


_ASKED = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nThink in <think> and </think>.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
)
_COHERE = ("<BOS>", "<|U|>", "<|C|>", "<|START_THINKING|>", "<|END_THINKING|>")


def _cohere(name: str, answers: str) -> Family:
    template = (
        "<BOS>"
        + _EACH
        + _USER
        + "<|U|>{{ m.content }}"
        + _PAST
        + f"<|C|><|START_{answers}|>{{{{ m.content }}}}<|END_{answers}|>"
        "<|EOT|>{% else %}{{ m.content }}{% endif %}" + _GO + "<|C|><|START_THINKING|>"
        "{% if reasoning is defined and not reasoning %}<|END_THINKING|>{% endif %}{% endif %}"
    )
    start = "<BOS><|U|>Hi<|C|><|START_THINKING|>"
    specials = (*_COHERE, f"<|START_{answers}|>", f"<|END_{answers}|>", "<|EOT|>")
    return Family(name, template, specials, (), start, start + "<|END_THINKING|>")


FAMILIES = {
    "qwen3": _chatml("qwen3", _switched(r"<think>\n\n</think>\n\n"), "<think>\n", MARKS, _SKIPPED),
    "qwen3.5": _chatml("qwen3", _switched(r"<think>\n\n</think>\n\n", r"<think>\n"), "<think>\n", MARKS, _SKIPPED),
    "glm-4.7": _chatml("qwen3", _switched("</think>", "<think>"), "<think>", MARKS, "</think>"),
    "deepseek-v3": Family("deepseek-v3", TEMPLATES["deepseek_v3"], DEEPSEEK, MARKS, f"{_DS}<think>", f"{_DS}</think>"),
    "deepseek-r1": Family(
        "deepseek-r1", TEMPLATES["deepseek_opens"], DEEPSEEK, MARKS, f"{_DS}<think>\n", f"{_DS}<think>\n\n</think>\n\n"
    ),
    "deepseek-r1-closed": Family(
        "deepseek-r1", TEMPLATES["deepseek"], DEEPSEEK, MARKS, f"{_DS}<think>\n", f"{_DS}<think>\n\n</think>\n\n"
    ),
    "qwq": _chatml("think", r"{{ '<think>\n' }}", "<think>\n", MARKS),
    "olmo-3": _chatml("think", "<think>", "<think>", ()),
    "phi-4": Family(
        "think",
        _ASKED + CHATML_START + "{% endif %}",
        CHATML,
        MARKS,
        "<|im_start|>system\nThink in <think> and </think>.<|im_end|>\n" + _CHAT + "<think>",
        None,
    ),
    "glm-4.5": Family(
        "glm-4.5",
        "[gMASK]"
        + _EACH
        + _USER
        + "<|user|>\n{{ m.content }}"
        + _OFF
        + "/nothink{% endif %}"
        + _PAST
        + "<|assistant|>\n<think></think>\n{{ m.content }}{% else %}<|system|>\n{{ m.content }}{% endif %}"
        + _GO
        + "<|assistant|>{{ '\n<think></think>' if enable_thinking is defined and not enable_thinking else '' }}{% endif %}",
        ("[gMASK]", "<|system|>", "<|assistant|>", "<|user|>"),
        MARKS,
        "[gMASK]<|user|>\nHi<|assistant|>\n<think>",
        "[gMASK]<|user|>\nHi/nothink<|assistant|>\n<think></think>",
    ),
    "hunyuan": Family(
        "hunyuan",
        "<bos>"
        + _EACH
        + _USER
        + "{{ m.content }}<sep>"
        + _PAST
        + "{{ m.content.split('<answer>')[-1].replace('</answer>', '') }}<eos>{% else %}{{ m.content }}<x>{% endif %}"
        + _GO
        + _OFF
        + "{{ '<think>\n\n</think>\n' }}{% endif %}{% endif %}",
        ("<bos>", "<sep>", "<x>", "<eos>"),
        (*MARKS, "<answer>", "</answer>"),
        "<bos>Hi<sep><think>\n",
        "<bos>Hi<sep><think>\n\n</think>\n",
    ),
    "nemotron-v2": Family(
        "nemotron-v2",
        TEMPLATES["nemotron_v2"],
        CHATML,
        MARKS,
        _CHAT + "<think>\n",
        "<|im_start|>system\n<|im_end|>\n" + _CHAT + "<think></think>",
    ),
    "granite-3.3": Family(
        "granite-3.3",
        "{% if messages[0].role != 'system' %}<|im_start|>system\nBe good.{% if thinking %} Think in <think></think>, answer "
        "in <response></response>.{% endif %}<|im_end|>\n{% endif %}" + CHATML_TURNS + CHATML_START + "{% endif %}",
        CHATML,
        (),
        "<|im_start|>system\nBe good. Think in <think></think>, answer in <response></response>.<|im_end|>\n"
        + _CHAT
        + "<think>",
        "<|im_start|>system\nBe good.<|im_end|>\n" + _CHAT,
    ),
    "granite-3.2": Family(
        "granite-3.2",
        "{% if messages[0].role != 'system' %}<|im_start|>system\nBe good.{% if thinking %} Write 'Here is my thought process:'"
        ", then 'Here is my response:'.{% endif %}<|im_end|>\n{% endif %}" + CHATML_TURNS + CHATML_START + "{% endif %}",
        CHATML,
        (),
        "<|im_start|>system\nBe good. Write 'Here is my thought process:', then 'Here is my response:'.<|im_end|>\n"
        + _CHAT
        + "Here is my thought process:",
        "<|im_start|>system\nBe good.<|im_end|>\n" + _CHAT,
    ),
    "magistral": Family(
        "magistral",
        "<s>{% if messages[0].role == 'system' %}[S]{{ messages[0].content }}[/S]{% else %}[S]First [THINK]a thought[/THINK], "
        "then an answer.[/S]{% endif %}"
        + _EACH
        + _USER
        + "[INST]{{ m.content }}[/INST]"
        + _PAST
        + "{{ m.content }}</s>{% endif %}{% endfor %}",
        ("<s>", "[S]", "[/S]", "[INST]", "[/INST]", "[THINK]", "[/THINK]", "</s>"),
        (),
        "<s>[S]First [THINK]a thought[/THINK], then an answer.[/S][INST]Hi[/INST][THINK]",
        None,
    ),
    "seed-oss": Family(
        "seed-oss",
        "{% if thinking_budget is not defined %}{% set thinking_budget = -1 %}{% endif %}{% if thinking_budget > 0 %}"
        "<seed:bos>system\nThink {{ thinking_budget }} tokens.<seed:eos>{% elif thinking_budget == 0 %}"
        "<seed:bos>system\nDo not think.<seed:eos>{% endif %}"
        + _EACH
        + "<seed:bos>{{ m.role }}\n{% if m.reasoning_content is defined %}<seed:think>{{ m.reasoning_content }}</seed:think>\n"
        + "{% endif %}{{ m.content }}<seed:eos>"
        + _GO
        + "{{ '<seed:bos>assistant\n' }}{% if thinking_budget == 0 %}<seed:think>No budget.</seed:think>{% endif %}{% endif %}",
        ("<seed:bos>", "<seed:think>", "</seed:think>", "<seed:eos>"),
        (),
        "<seed:bos>user\nHi<seed:eos><seed:bos>assistant\n<seed:think>",
        "<seed:bos>system\nDo not think.<seed:eos><seed:bos>user\nHi<seed:eos><seed:bos>assistant\n"
        "<seed:think>No budget.</seed:think>",
    ),
    "harmony": Family(
        "harmony",
        "<|start|>system<|message|>Reasoning: {{ reasoning_effort or 'medium' }}<|end|>"
        + _EACH
        + "{% if m.role == 'assistant' %}{% if loop.last and m.reasoning_content is defined %}"
        + "<|start|>assistant<|channel|>analysis<|message|>{{ m.reasoning_content }}<|end|>{% endif %}"
        + "<|start|>assistant<|channel|>final<|message|>{{ m.content }}{{ '<|return|>' if loop.last else '<|end|>' }}"
        + "{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}"
        + _GO
        + "<|start|>assistant{% endif %}",
        ("<|start|>", "<|message|>", "<|channel|>", "<|end|>", "<|return|>"),
        (),
        "<|start|>system<|message|>Reasoning: medium<|end|><|start|>user<|message|>Hi<|end|><|start|>assistant"
        "<|channel|>analysis<|message|>",
        None,
    ),
    "gemma-4": Family(
        "gemma-4",
        "<bos>{% if enable_thinking %}<|turn>system\n<|think|><turn|>\n{% endif %}"
        + _EACH
        + "<|turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}<turn|>\n"
        + _GO
        + "{{ '<|turn>model\n' }}{% if not enable_thinking %}{{ '<|channel>thought\n<channel|>' }}{% endif %}{% endif %}",
        ("<bos>", "<|turn>", "<|channel>", "<channel|>", "<|think|>", "<turn|>"),
        (),
        "<bos><|turn>system\n<|think|><turn|>\n<|turn>user\nHi<turn|>\n<|turn>model\n<|channel>thought\n",
        "<bos><|turn>user\nHi<turn|>\n<|turn>model\n<|channel>thought\n<channel|>",
    ),
    "command-a": _cohere("command-a", "RESPONSE"),
    "command-a-text": _cohere("command-a-text", "TEXT"),
    "kimi-k3": Family(
        "kimi-k3",
        _EACH
        + "<|im|>{{ m.role }}<|sep|>{{ m.content }}<|end|>"
        + _GO
        + "<|im|>assistant<|sep|>{% if thinking %}{{ thinking_effort }}<|open|>think<|sep|>{% else %}<|open|>response<|sep|>"
        + "{% endif %}{% endif %}",
        ("<|im|>", "<|open|>", "<|close|>", "<|sep|>", "<|end|>"),
        (),
        "<|im|>user<|sep|>Hi<|end|><|im|>assistant<|sep|><|open|>think<|sep|>",
        "<|im|>user<|sep|>Hi<|end|><|im|>assistant<|sep|><|open|>response<|sep|>",
    ),
    "solar-open": Family(
        "solar-open",
        _EACH
        + "<|begin|>{{ m.role }}{% if m.reasoning_content is defined %}<|think|>{{ m.reasoning_content }}<|end|>"
        + "<|begin|>assistant{% endif %}<|content|>{{ m.content }}<|end|>"
        + _GO
        + "<|begin|>assistant{% if reasoning_effort == 'minimal' %}<|think|><|end|><|begin|>assistant<|content|>"
        + "{% endif %}{% endif %}",
        ("<|begin|>", "<|think|>", "<|content|>", "<|end|>"),
        (),
        "<|begin|>user<|content|>Hi<|end|><|begin|>assistant<|think|>",
        "<|begin|>user<|content|>Hi<|end|><|begin|>assistant<|think|><|end|><|begin|>assistant<|content|>",
    ),
    "hy3": Family(
        "hy3",
        _EACH
        + "<|{{ m.role }}|>{{ m.content }}<eos>"
        + _GO
        + "<|assistant|>{% if reasoning_effort == 'no_think' %}<think:opensource></think:opensource>"
        + "{% elif reasoning_effort == 'high' %}<think:opensource>{% endif %}{% endif %}",
        ("<|user|>", "<|assistant|>", "<eos>"),
        ("<think:opensource>", "</think:opensource>"),
        "<|user|>Hi<eos><|assistant|><think:opensource>",
        "<|user|>Hi<eos><|assistant|><think:opensource></think:opensource>",
    ),
    "exaone-deep": _chatml("exaone-deep", r"{{ '<thought>\n' }}", "<thought>\n", ("<thought>", "</thought>")),
    "kimi-vl": _chatml("kimi-vl", "◁think▷", "◁think▷", ("◁think▷", "◁/think▷")),
    "apriel": _chatml(
        "apriel", r"{{ 'Here are my reasoning steps:\n' }}", "Here are my reasoning steps:\n", ("[BEGIN FINAL RESPONSE]",)
    ),
    "hyperclovax": Family(
        "hyperclovax",
        CHATML_TURNS
        + "{% if add_generation_prompt %}<|im_start|>assistant{% if force_reasoning %}{{ '/think\n' }}"
        + "{% elif skip_reasoning %}{{ '\n' }}{% endif %}{% endif %}",
        CHATML,
        (),
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant/think\n",
        _CHAT,
    ),
    "longcat": _chatml(
        "longcat",
        _switched(r"<longcat_think>\n</longcat_think>\n", r"<longcat_think>\n"),
        "<longcat_think>\n",
        ("<longcat_think>", "</longcat_think>"),
        "<longcat_think>\n</longcat_think>\n",
    ),
    "longcat-always": _chatml(
        "longcat-always", r"{{ '<longcat_think>\n' }}", "<longcat_think>\n", ("<longcat_think>", "</longcat_think>")
    ),
    "reasoning-tags": _chatml("reasoning-tags", "<reasoning>", "<reasoning>", ("<reasoning>", "</reasoning>")),
    "openthinker": Family(
        "openthinker",
        "{% if messages[0].role != 'system' %}<|im_start|>system\nUse <|begin_of_thought|> and <|end_of_thought|>, then "
        "<|begin_of_solution|>.<|im_end|>\n{% endif %}" + CHATML_TURNS + CHATML_START + "{% endif %}",
        CHATML,
        (),
        "<|im_start|>system\nUse <|begin_of_thought|> and <|end_of_thought|>, then <|begin_of_solution|>.<|im_end|>\n"
        + _CHAT
        + "<|begin_of_thought|>\n\n",
        None,
    ),
}
