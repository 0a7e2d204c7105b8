"""Detects a model's thinking format from evidence: what its template renders, reads, writes and asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from raml_eval.errors import ModelError
from raml_eval.prompts.evidence import Evidence, gather_evidence
from raml_eval.prompts.rendering import is_closed, is_open, missing_opener, missing_prefix
from raml_eval.protocols import ChatTokenizer
from raml_eval.thinking_formats import Mode, ThinkingFormat, is_mark, known_formats

_ANY_SYSTEM = Mode(system="Answer in English.")
_FORBIDS = re.compile(r"\b(?:never|not|without|avoid|no)\b|n't", re.IGNORECASE)


@dataclass(slots=True)
class Fit:
    """How one format fits the evidence. It is detected only if there is proof, no doubt and no contradiction."""

    format: ThinkingFormat
    proofs: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    unopened: bool = False  # the only doubt is whether the model opens thinking

    @property
    def proven(self) -> bool:
        return bool(self.proofs) and not self.doubts and not self.contradictions


@dataclass(frozen=True, slots=True)
class Detection:
    """The format of a model, and why. uncertain is true if there was no evidence at all, and so no thinking is assumed.

    asked_for is true if the template asks for thinking in the system message that it writes by default. starts holds what
    the template writes to let the model's turn begin, with thinking (True) and without (False).
    """

    format: ThinkingFormat
    proofs: tuple[str, ...]
    uncertain: bool = False
    asked_for: bool = False
    starts: Mapping[bool, str] = field(default_factory=dict)


def detect_format(tokenizer: ChatTokenizer, model: str | Path) -> Detection:
    """The thinking format that the tokenizer and its chat template prove, and the proofs. Names never decide.

    If nothing suggests thinking, the result is the format none, marked as uncertain. Raises ModelError if several formats
    fit that would write different prompts, if there are signs of thinking that no format explains, or if the template fails.

    Example: detect_format(load_tokenizer(find_checkpoint("pocket")), "pocket").format.name == "qwen3"
    """
    evidence = gather_evidence(tokenizer)
    fits = [fit_format(fmt, evidence) for fmt in known_formats().values()]
    proven = [fit for fit in fits if fit.proven]
    if proven:
        return _choose(proven, evidence, model)
    signs = evidence.signs()
    if not signs:
        return Detection(known_formats()["none"], ("the template and the vocabulary have no sign of thinking",), uncertain=True)
    raise ModelError(
        f"the thinking format of {model} cannot be told: it has {', '.join(signs[:5])}, but nothing shows that, and how, the "
        f"model thinks. {_advise([fit.format for fit in fits if _may_fit(fit, evidence)])}"
    )


def _choose(proven: Sequence[Fit], evidence: Evidence, model: str | Path) -> Detection:
    ranks = [_rank(fit.format, evidence) for fit in proven]
    first, *others = [fit for fit, rank in zip(proven, ranks, strict=True) if rank == max(ranks)]
    different = [fit for fit in others if _behaviour(fit.format, evidence) != _behaviour(first.format, evidence)]
    if different:
        named = [fit.format for fit in (first, *different)]
        raise ModelError(
            f"the thinking format of {model} is ambiguous: {' and '.join(fmt.name for fmt in named)} fit its chat template and "
            f"write different prompts. {_advise(named)}"
        )
    return _detected(first.format, tuple(first.proofs), evidence)


def _detected(fmt: ThinkingFormat, proofs: tuple[str, ...], evidence: Evidence) -> Detection:
    starts = {True: evidence.start(fmt.on), False: evidence.start(fmt.off_mode)}
    asked = _is_asked_for(fmt, evidence) and not fmt.variables  # a variable says it whatever the messages hold
    return Detection(fmt, proofs, asked_for=asked, starts=starts)


def _rank(fmt: ThinkingFormat, evidence: Evidence) -> tuple[int, int, bool, bool]:
    """How specific a format is: a switch of the template's own says more than a sentence, and that more than a prefix.

    Among equals, the one counts whose text before the answer is a token of the vocabulary, and is what the template writes.
    """
    off = fmt.off_mode
    switch = 3 if fmt.variables else 2 if (off.system or fmt.on.system) else 1 if off.prefix or fmt.effort.variable else 0
    around = evidence.around_thought(fmt.on)
    writes = bool(around and (fmt.closer + fmt.answer_opener).strip() in around[1])
    return switch, len(fmt.needs), fmt.answer_opener.strip() in evidence.vocabulary, writes


def _behaviour(fmt: ThinkingFormat, evidence: Evidence) -> tuple[str | None, ...]:
    """What the format would make of the probe: its prompts with thinking and without, and what a forced end writes."""
    on, off = render_pair(fmt, evidence)
    return on, off, fmt.closer, fmt.answer_opener


def render_pair(fmt: ThinkingFormat, evidence: Evidence) -> tuple[str | None, str | None]:
    """The probe's prompts with thinking and without; None where there is no such mode."""
    on = off = None
    if fmt.thinks:
        on = (evidence.render(fmt.on) or "") + missing_opener(fmt, evidence.tail(fmt.on))
    if fmt.supports_off:
        off = (evidence.render(fmt.off_mode) or "") + missing_prefix(fmt, evidence.tail(fmt.off_mode))
    return on, off


def _may_fit(fit: Fit, evidence: Evidence) -> bool:
    """True if a person who knows the model may choose the format: it leaves what the template renders as it is.

    The format none is no choice for a template that has a switch for thinking, or writes of it.
    """
    if fit.contradictions or fit.format.by_name_only:
        return False
    if evidence.switches() and not fit.format.variables:
        return False
    if not fit.format.thinks:  # a template may strip old thinking, or name it beside tools, and its model not think
        return not (evidence.writes_thoughts() or evidence.opened_otherwise())
    return fit.doubts == [] or (fit.unopened and _has_marks(fit.format, evidence) and not fit.format.switched_in_template)


def _advise(formats: Sequence[ThinkingFormat]) -> str:
    """What to do: the formats to choose from, by name."""
    names = [fmt.name for fmt in formats]
    own = "describe its format in a YAML file and pass that to --thinking-format (docs/thinking-formats.md)"
    if not names:
        return f"{own[0].upper()}{own[1:]}."
    if names == ["none"]:
        return (
            f"If the model does not think, pass --thinking-format none, which takes all that it writes as its answer. If it "
            f"does, {own}."
        )
    other = " (none if the model does not think)" if "none" in names else ""
    return f"Name one that leaves its prompts as they are: --thinking-format {' or '.join(names)}{other}."


def _has_marks(fmt: ThinkingFormat, evidence: Evidence) -> bool:
    return fmt.thinks and (evidence.mentions(fmt.opener) or evidence.mentions(fmt.closer))


def check_format(fmt: ThinkingFormat, tokenizer: ChatTokenizer, model: str | Path) -> Detection:
    """The format that was named, if the chat template does not contradict it. Raises ModelError if it does.

    A format that ships must also open thinking where the format that the template proves opens it; one's own, and those
    that no template shows, need not.
    """
    evidence = gather_evidence(tokenizer)
    wrong = fit_format(fmt, evidence).contradictions if tokenizer.chat_template else []
    if not wrong and tokenizer.chat_template and fmt.thinks and fmt == known_formats().get(fmt.name) and not fmt.by_name_only:
        wrong = _opens_elsewhere(fmt, evidence)
    if wrong:
        raise ModelError(
            f"thinking format {fmt.name} contradicts the chat template of {model}: {wrong[0]}. Leave out --thinking-format to "
            f"have it detected; `raml-eval formats detect` shows what was found."
        )
    return _detected(fmt, ("it was named",), evidence)


def _opens_elsewhere(fmt: ThinkingFormat, evidence: Evidence) -> list[str]:
    """Why the format's prompt with thinking is not that of a format that the template proves; empty if it is."""
    mine = render_pair(fmt, evidence)[0] or ""
    proven = [other for other in _thinking_formats() if fit_format(other, evidence).proven]
    theirs = {other.name: render_pair(other, evidence)[0] or "" for other in proven}
    if not theirs or any(mine.startswith(one) or one.startswith(mine) for one in theirs.values()):
        return []
    return [f"its prompts with thinking are those of {' or '.join(theirs)}"]


def _is_asked_for(fmt: ThinkingFormat, evidence: Evidence) -> bool:
    """True if the model thinks because the prompt's beginning asks for it, in the words of the template.

    A sentence that forbids the delimiters is no such request.
    """
    asked = evidence.asked_for(fmt.on) if fmt.thinks else ""
    if not (asked and fmt.opener in asked and fmt.closer in asked):
        return False
    sentence = re.split(r"[.!?\n]", asked.partition(fmt.opener)[0])[-1]
    return not _FORBIDS.search(sentence)


def fit_format(fmt: ThinkingFormat, evidence: Evidence) -> Fit:
    """How the format fits: proofs for it, doubts that leave it open, and contradictions that exclude it."""
    fit = Fit(fmt)
    if not evidence.tokenizer.chat_template:
        fit.doubts.append("there is no chat template")
        return fit
    if not fmt.thinks:
        _refute_none(fit, evidence)
        return fit
    if fmt.by_name_only:
        fit.doubts.append("the template never writes its marks, so it is only chosen by name")
    lacking = [text for text in fmt.needs if text not in evidence.texts]
    if lacking:
        fit.doubts.append(f"the template lacks {lacking[0]!r}")
    begun = fmt.answer_opener.strip()
    if is_mark(begun) and not (evidence.mentions(begun) or begun in (evidence.render(fmt.off_mode) or "")):
        fit.doubts.append(f"neither template nor vocabulary has {begun}")
    _check_switch(fit, evidence)
    if not fit.contradictions:
        _check_opening(fit, evidence)
    return fit


def _thinking_formats() -> list[ThinkingFormat]:
    return [fmt for fmt in known_formats().values() if fmt.thinks]


def _refute_none(fit: Fit, evidence: Evidence) -> None:
    """A template that opens thinking by itself can never be run as if the model did not think.

    If it always closes thinking instead, there is no thinking, whatever its vocabulary has.
    """
    tail = evidence.tail(fit.format.on)
    for fmt in _thinking_formats():
        if is_mark(fmt.opener) and is_open(fmt, tail):
            fit.contradictions.append(f"its generation prompt opens thinking with {fmt.opener!r}")
            return
    switches = evidence.switches()
    if switches:
        fit.contradictions.append(f"it has a switch for thinking, {switches[0]} (a budget of off turns thinking off)")
    elif any(is_mark(fmt.opener) and fmt.opener in tail and is_closed(fmt, tail) for fmt in _thinking_formats()):
        fit.proofs.append(f"every generation prompt closes thinking: {evidence.start(fit.format.on)[-30:]!r}")


def _check_switch(fit: Fit, evidence: Evidence) -> None:
    """The switch must be read, must change the prompt, and must leave thinking open or closed as it says."""
    fmt = fit.format
    for name in sorted(fmt.variables - evidence.variables):
        fit.contradictions.append(f"the template does not read {name}")
    if fmt.effort.variable and fmt.effort.variable not in evidence.variables:
        fit.contradictions.append(f"the template does not read {fmt.effort.variable}")
    on, off = evidence.render(fmt.on), evidence.render(fmt.off_mode)
    if on is None or (fmt.off and off is None):
        fit.contradictions.append("the template fails with its switch")
    elif fmt.switched_in_template and on == off:
        fit.contradictions.append("its switch does not change the prompt")
    elif is_closed(fmt, evidence.tail(fmt.on)):
        fit.contradictions.append(f"the template closes thinking with {fmt.closer!r} where it should be on")
    elif fmt.off and not fmt.off.prefix and is_open(fmt, evidence.tail(fmt.off)):
        fit.contradictions.append(f"the template opens thinking with {fmt.opener!r} where it should be off")
    elif fmt.variables:
        fit.proofs.append(f"{' and '.join(sorted(fmt.variables))} changes the prompt")
    elif fmt.switched_in_template and evidence.start(fmt.off_mode) in (evidence.start(fmt.on), evidence.start(_ANY_SYSTEM)):
        fit.doubts.append(f"the sentence {fmt.off_mode.system!r} does not change how the model's turn begins")


def _check_opening(fit: Fit, evidence: Evidence) -> None:
    """Thinking is opened by the template, or something shows what the model itself writes to open it."""
    fmt = fit.format
    if is_open(fmt, evidence.tail(fmt.on)):
        fit.proofs.append(f"the generation prompt ends in {evidence.start(fmt.on)[-30:]!r}")
        return
    others = [o for o in _thinking_formats() if is_mark(o.opener) and is_open(o, evidence.tail(fmt.on))]
    if others:
        fit.contradictions.append(f"the generation prompt opens thinking with {others[0].opener!r}")
        return
    written = fmt.before_opener + fmt.opener + fmt.after_opener
    skipped = evidence.start(fmt.off_mode) if fmt.off and not fmt.off.prefix else ""
    around = evidence.around_thought(fmt.on)
    if skipped.startswith(evidence.start(fmt.on) + written):
        fit.proofs.append(f"with thinking off, the generation prompt ends in {skipped[-30:]!r}")
    elif fmt.opener in (rest := _rest(skipped, evidence.start(fmt.on))) and not rest.startswith(written):
        fit.contradictions.append(f"the template writes {rest!r} to turn thinking off, the format opens with {written!r}")
    elif around and fmt.opener in around[0] and not around[0].startswith(written):
        fit.contradictions.append(f"the template writes {around[0]!r} before a thought, the format {written!r}")
    elif around and around[0].startswith(written) and (fmt.switched_in_template or fmt.effort.variable):
        fit.proofs.append(f"the template writes {around[0]!r} before a thought")
    elif _is_asked_for(fmt, evidence) and not fmt.variables and evidence.switches():
        fit.doubts.append(f"{evidence.switches()[0]} turns thinking on or off, and the format does not use it")
    elif _is_asked_for(fmt, evidence):
        fit.proofs.append(f"the template asks for {fmt.opener} and {fmt.closer}")
    elif fmt.needs and not fit.doubts:
        fit.proofs.append(f"the template has {' and '.join(fmt.needs)}")
    else:
        fit.unopened = not fit.doubts
        fit.doubts.append(f"nothing shows that the model opens thinking with {written!r}")
        _refute_marks(fit, evidence)


def _rest(text: str, start: str) -> str:
    """What follows a start in a text; empty if the text starts otherwise."""
    return text.removeprefix(start) if text.startswith(start) else ""


def _refute_marks(fit: Fit, evidence: Evidence) -> None:
    """A format whose marks are nowhere contradicts a template or vocabulary that has the marks of another."""
    fmt = fit.format
    if _has_marks(fmt, evidence) or fmt.by_name_only:
        return
    others = [o for o in _thinking_formats() if is_mark(o.opener) and _has_marks(o, evidence)]
    if others:
        fit.contradictions.append(f"the marks here are {others[0].opener} and {others[0].closer}")


def resumed_turn(tokenizer: ChatTokenizer, fmt: ThinkingFormat) -> str:
    """The beginning of the end delimiter that only lets the model go on in another message; empty if there is none.

    Where the delimiter holds the start of the model's own turn, that start may lead to more thinking as well.

    Example: "<|end|><|start|>assistant" for harmony
    """
    start = gather_evidence(tokenizer).start(fmt.on).lstrip() if fmt.thinks and tokenizer.chat_template else ""
    shared = next((start[:n] for n in range(len(start), 0, -1) if start[:n] in fmt.closer), "")
    before, _, _ = fmt.closer.partition(shared) if shared else ("", "", "")
    return before + shared if before else ""
