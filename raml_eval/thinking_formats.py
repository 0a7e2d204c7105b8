"""The thinking formats: how each model family marks its thinking and turns it on and off, as records that are data.

The records that ship stand in thinking_formats.yaml. A user's own come from a file, a configuration, or an entry point.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from raml_eval.errors import ModelError, near_names
from raml_eval.plugins import FORMATS, broken_plugin, load_plugins
from raml_eval.yaml_text import read_yaml


@dataclass(frozen=True, slots=True)
class Mode:
    """How thinking is turned on or off: template variables, a sentence first in the system message, a text after the prompt.

    prefix is written after the generation prompt, unless the template has written it, or its beginning, already.
    """

    variables: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Closing:
    """What a forced end writes: a text before the end delimiter, the delimiter, and a text that already begins the answer.

    after belongs to the answer that is graded. Without the delimiter, the two texts alone end the thinking.
    """

    before: str = ""
    after: str = ""
    delimiter: bool = True


CLOSINGS: Mapping[str, Closing] = MappingProxyType(
    {
        "bare": Closing(),
        # RaML (arXiv:2505.19815), figure 11 and its repository's landscape notebooks
        "raml-paper": Closing(after="\n\n**Final Answer**\n\\boxed{", delimiter=False),
        # The same repository's no-thinking phrase for QwQ: with a budget of 0, it stands right after the opener
        "raml-no-think": Closing(after="Therefore, after all this, I believe the answer is", delimiter=False),
    }
)


@dataclass(frozen=True, slots=True)
class Effort:
    """A template variable that asks for more or less thinking, and its values. It is a hint, which nothing enforces."""

    variable: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThinkingFormat:
    """The texts around thinking in one model family. docs/thinking-formats.md describes every field.

    opener and closer are the delimiters, both empty in the format without thinking. before_opener and after_opener are what
    the model writes around the opener where the template does not write it. answer_opener is what stands between the closer
    and the answer. off is None if the family has no mode without thinking. hint_variable is a template variable that takes a
    number of thinking tokens, as a hint. needs are texts that must stand in the template for the format to be detected;
    by_name_only says that it is never detected.
    """

    name: str
    about: str = ""
    families: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    before_opener: str = ""
    opener: str = ""
    after_opener: str = ""
    closer: str = ""
    answer_opener: str = ""
    on: Mode = Mode()
    off: Mode | None = None
    effort: Effort = Effort()
    hint_variable: str = ""
    closing: Closing = Closing()
    closings: Mapping[str, Closing] = field(default_factory=dict)
    end_of_turn: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    by_name_only: bool = False

    @property
    def thinks(self) -> bool:
        return bool(self.closer)

    @property
    def supports_off(self) -> bool:
        return not self.thinks or self.off is not None

    @property
    def off_mode(self) -> Mode:
        """The mode without thinking; nothing needs to be set in the format that never thinks."""
        return self.off or Mode()

    @property
    def variables(self) -> frozenset[str]:
        """The template variables that turn thinking on and off."""
        return frozenset({*self.on.variables, *self.off_mode.variables})

    @property
    def switched_in_template(self) -> bool:
        """True if the template itself turns thinking on and off, so that its two prompts must differ."""
        switched = self.variables or self.on.system or self.off_mode.system
        return bool(self.off is not None and not self.off.prefix and switched)

    def protocol(self) -> dict[str, Any]:
        """Everything that decides what is drawn, as a resume compares it. What a forced end writes is a choice of the run."""
        told = {"about", "families", "aliases", "closing", "closings", "needs", "by_name_only"}
        return {name: value for name, value in asdict(self).items() if name not in told}


def parse_format(record: Any, source: str) -> ThinkingFormat:
    """The thinking format of a record as YAML holds it. source names its place in errors. Raises ModelError for a wrong one.

    Example: parse_format({"name": "mine", "opener": "<t>", "closer": "</t>"}, "mine.yaml").closer == "</t>"
    """
    values = _read(record, ThinkingFormat, source)
    for key, into in (("on", Mode), ("off", Mode), ("effort", Effort), ("closing", Closing)):
        if values.get(key) is not None:
            values[key] = into(**_read(values[key], into, f"{source}: {key}"))
        elif key != "off":
            values.pop(key, None)
    closings = values.pop("closings", None) or {}
    if not isinstance(closings, Mapping):
        raise ModelError(f"{source}: closings is {closings!r:.60}, wanted closings by name. Correct the record.")
    if "name" not in values:
        raise ModelError(f"{source} has no name. Add one, such as `name: mine`.")
    named = {name: Closing(**_read(one, Closing, f"{source}: closings.{name}")) for name, one in closings.items()}
    fmt = ThinkingFormat(**values, closings=named)
    _check(fmt, source)
    return fmt


_SHAPES: Mapping[str, tuple[type, str]] = MappingProxyType(
    {
        "str": (str, "a text"),
        "bool": (bool, "true or false"),
        "tuple[str, ...]": (list, "a list of texts"),
        "Mapping[str, Any]": (Mapping, "variables with their values"),
    }
)


def _read(record: Any, into: type, source: str) -> dict[str, Any]:
    """The fields of a record. Raises ModelError for an unknown field and for a value of another type."""
    if not isinstance(record, Mapping):
        raise ModelError(f"{source} holds {record!r:.60}, wanted keys and values such as `name: mine`. Correct the record.")
    known = {f.name: str(f.type) for f in fields(into)}
    values: dict[str, Any] = {}
    for key, value in record.items():
        name = {True: "on", False: "off"}.get(key, key)  # YAML reads the bare words on and off as true and false
        if name not in known:
            raise ModelError(f"{source} has the unknown key {name!r}.{near_names(str(name), known)} Keys: {', '.join(known)}.")
        shape, wanted = _SHAPES.get(known[name], (object, ""))
        if not isinstance(value, shape):
            raise ModelError(f"{source}: {name} is {value!r:.60}, wanted {wanted}. Correct the record.")
        values[name] = tuple(str(one) for one in value) if isinstance(value, list) else value
    return values


def _check(fmt: ThinkingFormat, source: str) -> None:
    """Raises ModelError if the record contradicts itself."""
    closings = (fmt.closing, *fmt.closings.values())
    marks = (fmt.opener, fmt.closer) if fmt.closer else ()
    wrong = {
        "opener and closer must both be given, or neither": bool(fmt.opener.strip()) != bool(fmt.closer.strip()),
        "opener must not begin or end with blanks, which belong into before_opener and after_opener": fmt.opener
        != fmt.opener.strip(),
        "off has both a switch and a prefix": bool(fmt.off and fmt.off.prefix and (fmt.off.variables or fmt.off.system)),
        "on has a prefix, which the opener's own keys must say": bool(fmt.on.prefix),
        "closing.before holds the closer, which is written after it anyway": bool(fmt.closer)
        and any(fmt.closer in closing.before for closing in closings),
        "effort has values but no variable, or a variable without values": bool(fmt.effort.variable) != bool(fmt.effort.values),
        "opener and closer hold one another": bool(fmt.closer) and (fmt.closer in fmt.opener or fmt.opener in fmt.closer),
        "answer_opener holds a delimiter": any(mark in fmt.answer_opener for mark in marks),
        "end_of_turn holds a delimiter": any(mark in fmt.end_of_turn for mark in marks),
        "closing.after holds the closer": bool(fmt.closer) and any(fmt.closer in closing.after for closing in closings),
    }
    for problem, is_wrong in wrong.items():
        if is_wrong:
            raise ModelError(f"thinking format {fmt.name} in {source}: {problem}. Correct the record.")


def load_formats(path: Path) -> list[ThinkingFormat]:
    """The records of a YAML file, which holds one or a list of them. Raises ModelError if it cannot be read."""
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"cannot read thinking format {path}: {error.strerror}. Name a YAML file with a record.") from error
    except ValueError as error:
        raise ModelError(f"the thinking format {path} is not YAML: {error}. Correct it.") from error
    return [parse_format(record, str(path)) for record in (content if isinstance(content, list) else [content])]


@cache
def known_formats() -> Mapping[str, ThinkingFormat]:
    """Every thinking format by its name: those that ship, then those of installed packages' entry points."""
    shipped = load_formats(Path(str(resources.files("raml_eval") / "thinking_formats.yaml")))
    found = {fmt.name: fmt for fmt in (*shipped, *_of_packages())}
    return MappingProxyType(found)


def _of_packages() -> Iterator[ThinkingFormat]:
    """The formats that other packages declare: a record, a ThinkingFormat, or a function that returns either."""
    for name, loaded in load_plugins(FORMATS):
        try:
            record = loaded() if callable(loaded) else loaded
        except Exception as error:
            raise broken_plugin(FORMATS, name, error) from error
        yield record if isinstance(record, ThinkingFormat) else parse_format(record, f"entry point {name}")


def find_format(wanted: str | Mapping[str, Any]) -> ThinkingFormat:
    """The thinking format of a name, of an alias, of a YAML file, or of a record.

    Raises ModelError, which suggests similar names, for anything else.

    Example: find_format("gpt-oss").name == "harmony"
    """
    if not isinstance(wanted, str):
        return parse_format({"name": "configured", **wanted}, "thinking.format")
    if wanted.endswith((".yaml", ".yml")):
        records = load_formats(Path(wanted).expanduser())
        if len(records) != 1:
            raise ModelError(f"{wanted} holds {len(records)} thinking formats, wanted one. Keep the one that is meant.")
        return records[0]
    names = {name: fmt for fmt in known_formats().values() for name in (*fmt.aliases, fmt.name)}
    if wanted not in names:
        raise ModelError(
            f"thinking format {wanted!r} is not known.{near_names(wanted, names)} Known formats: {', '.join(known_formats())}; "
            f"a YAML file with a record of your own works too."
        )
    return names[wanted]


def to_record(fmt: ThinkingFormat) -> dict[str, Any]:
    """The format as a record that parse_format reads back, without the fields that say nothing.

    Example: parse_format(to_record(find_format("qwen3")), "") == find_format("qwen3")
    """
    return {"name": fmt.name, **_told(fmt)}


def _told(part: Any) -> dict[str, Any]:
    """The fields of a part of a record that differ from their defaults."""
    told: dict[str, Any] = {}
    for f in fields(part):
        value = getattr(part, f.name)
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        if f.name == "name" or value == default:
            continue
        if isinstance(value, Mapping):
            told[f.name] = {key: _told(one) if isinstance(one, Closing) else one for key, one in value.items()}
        elif isinstance(value, Mode | Effort | Closing):
            told[f.name] = _told(value)
        else:
            told[f.name] = list(value) if isinstance(value, tuple) else value
    return told


def find_closing(fmt: ThinkingFormat, wanted: str | Mapping[str, Any] | None, text: str | None = None) -> Closing:
    """The closing that a run writes: the format's own, a named one, or a record. text replaces what is before the delimiter.

    Raises ModelError for an unknown name, and if a text before the delimiter holds it, because it would be written twice.
    """
    named = {**CLOSINGS, **fmt.closings}
    if wanted is None:
        closing = fmt.closing
    elif isinstance(wanted, Mapping):
        closing = Closing(**_read(wanted, Closing, "thinking.closing"))
    elif wanted in named:
        closing = named[wanted]
    else:
        raise ModelError(
            f"format {fmt.name} has no closing {wanted!r}.{near_names(wanted, named)} It has {', '.join(named)}; a record with "
            f"before, after and delimiter works too."
        )
    closing = closing if text is None else replace(closing, before=text)
    if fmt.thinks and closing.delimiter and fmt.closer in closing.before:
        raise ModelError(
            f"the closing text {closing.before!r} holds {fmt.closer!r}, which is written after it anyway. Leave it out."
        )
    return closing


def is_mark(text: str) -> bool:
    """True if a delimiter cannot be mistaken for ordinary words.

    Example: is_mark("<think>") and not is_mark("Here is my response:")
    """
    return text.startswith(("<", "[", "◁"))
