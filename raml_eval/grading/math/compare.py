"""Compares two forms part by part; a leaf compares the parts themselves.

A leaf says whether two expressions are equal, or None if it cannot decide. The same rules thus serve the quick comparison,
whose leaf compares spelling, numbers and values, and the symbolic one, whose leaf also asks math-verify.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from raml_eval.grading.math.forms import (
    EMPTY,
    Alternatives,
    Equation,
    Family,
    Form,
    Interval,
    Joined,
    Many,
    Matrix,
    Named,
    Option,
    Ratio,
    Value,
    Word,
)
from raml_eval.grading.math.names import (
    in_groups,
    in_order_of_names,
    is_name,
    parameter_of,
    rename,
    rename_parameter,
    same_name,
)
from raml_eval.grading.math.quantities import Leaf, all_of, equal_quantities, equal_ratios
from raml_eval.grading.math.relations import ASKED
from raml_eval.grading.math.rewrites import TEXT
from raml_eval.grading.math.tokens import GREEK
from raml_eval.grading.math.words import are_opposite, same_time, says, word_of

_PLUS_MINUS = re.compile(r"\\pm(?![a-zA-Z])")
_CALLED = re.compile(r"[A-Zfghpquv](?:_\w|_\{\w+\})?\([-\d,.]+\)")
_LETTER = re.compile(r"\\[a-zA-Z]+|[a-zA-Z](?:_\w|_\{\w+\})?")
_SUM = re.compile(r"[-+]?[\d.]+(?:[-+]|\\cdot )?(.+)|(.+)[-+][\d.]+")
_POWER = re.compile(r"\^\{?\d")
_TUPLE = re.compile(r"\([^()]*,[^()]*\)")
LONGEST_LIST = 60  # items that are matched in any order
_WORDS_FOR = {"no solution": (EMPTY,), "infinity": (r"\infty", r"+\infty"), "empty set": (EMPTY,)}


def compare(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    """Whether the answer is the gold. None if the leaf could not decide a part that matters."""
    gold, answer = _expand(gold), _expand(answer)
    for kind, rule in _RULES:
        if isinstance(gold, kind) or isinstance(answer, kind):
            return rule(gold, answer, leaf)
    raise AssertionError("every form has a rule")


def _any(verdicts: Sequence[bool | None]) -> bool | None:
    if any(verdicts):
        return True
    return None if None in verdicts else False


def _in_order(left: Sequence[Form], right: Sequence[Form], leaf: Leaf) -> bool | None:
    if len(left) != len(right):
        return False
    return all_of([compare(a, b, leaf) for a, b in zip(left, right, strict=True)])


def _in_any_order(left: Sequence[Form], right: Sequence[Form], leaf: Leaf) -> bool | None:
    if len(left) != len(right):
        return False
    if len(left) > LONGEST_LIST:
        return _in_order(left, right, leaf)
    free, undecided = list(right), False
    for item in left:
        verdicts = [compare(item, other, leaf) for other in free]
        if True in verdicts:
            del free[verdicts.index(True)]
        elif None in verdicts:
            undecided = True
        else:
            return False
    return None if undecided else True


def _expand(form: Form) -> Form:
    r"""Turns a value with one \pm into the list of its two values, each with its unit; any other form stays as it is."""
    if isinstance(form, Value) and len(_PLUS_MINUS.findall(form.text)) == 1 and r"\mp" not in form.text:
        before, after = (part.strip() for part in _PLUS_MINUS.split(form.text))
        signed = (f"{before}+{after}" if before else after, f"{before}-{after}")
        return Many("", tuple(Value(text, form.unit) for text in signed))
    if isinstance(form, Named) and isinstance(form.value, Value) and r"\pm" in form.value.text:
        return Named(form.name, _expand(form.value))
    return form


def _alternatives(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    golds = gold.forms if isinstance(gold, Alternatives) else (gold,)
    answers = answer.forms if isinstance(answer, Alternatives) else (answer,)
    return _any([compare(g, a, leaf) for g in golds for a in answers])


def _families(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    """The conditions must be the same if both sides give one; the question mostly says what its letters are.

    Of a condition in words, only what it says of odd and even, or positive and negative, counts.
    """
    forms = [side.form if isinstance(side, Family) else side for side in (gold, answer)]
    same = compare(forms[0], forms[1], leaf)
    if isinstance(gold, Family) and isinstance(answer, Family):
        conditions = gold.condition, answer.condition
        if any(isinstance(condition, Word) for condition in conditions):
            words = [condition.text for condition in conditions if isinstance(condition, Word)]
            return False if len(words) == 2 and are_opposite(*words) else same
        return all_of([same, compare(gold.condition, answer.condition, leaf)])
    return same


def _options(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    if isinstance(gold, Option) and isinstance(answer, Option):
        return gold.letter == answer.letter
    option, other = (gold, answer) if isinstance(gold, Option) else (answer, gold)
    assert isinstance(option, Option)
    word = word_of(other)
    if word is not None and len(word) == 1:
        return word == option.letter.casefold()
    return compare(gold, option.content, leaf) if option is answer else compare(option.content, answer, leaf)


def _words(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    if isinstance(gold, Word) and isinstance(answer, Word):
        return gold.text == answer.text or says(answer.text, gold.text)
    word, other = (gold, answer) if isinstance(gold, Word) else (answer, gold)
    assert isinstance(word, Word)
    if isinstance(other, Ratio):
        return same_time(word.text, ":".join(other.parts))
    if isinstance(answer, Many) and isinstance(answer.items[0], (Word, Value)) and word.text in ("yes", "no"):
        said = [word_of(item) for item in answer.items]  # Yes, it is possible
        return said[0] == word.text and not ({"yes", "no"} - {word.text}) & set(said)
    if not isinstance(other, Value):
        return compare(gold, answer.value, leaf) if isinstance(answer, Named) else False
    if other.text in _WORDS_FOR.get(word.text, ()):
        return True
    if word.marked or not other.text.isalpha():
        return other.unit is None and word.text == other.text.casefold()
    return leaf(gold.text, answer.text) if isinstance(gold, (Word, Value)) and isinstance(answer, (Word, Value)) else False


def _equations(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    if isinstance(gold, Equation) and isinstance(answer, Equation):
        return gold.sides == answer.sides or leaf("=".join(gold.sides), "=".join(answer.sides))
    equation, other = (gold, answer) if isinstance(gold, Equation) else (answer, gold)
    assert isinstance(equation, Equation)
    if isinstance(other, Named):
        return leaf(_equation_text(gold), _equation_text(answer))
    last = equation.sides[-1]
    # An answer may write out its result, as in a+b=5 for 5. If the gold is an equation, the answer must be one as well.
    if equation is gold or last == "0":
        return False
    return compare(gold, Value(last), leaf) if _states_result(equation.sides, leaf) else False


def _states_result(sides: Sequence[str], leaf: Leaf) -> bool:
    r"""Whether the last side is the value of what the others write out; 2x+4=30 and -x=5 rather say what x is.

    What is asked for may have several letters, as a+b, be a function of one, as \sin A, or be a sum over one. A side
    without letters shows that a value was put in, and a letter in the last side that the whole is rewritten. A name and a
    number, as in 5+f(x)=x+1 or 2f(x)=4x, or a tuple such as (2a,b), are never asked for.
    """
    letters = [_unknowns(side) for side in sides]
    sum_ = _SUM.fullmatch(sides[-2])
    if _TUPLE.fullmatch(sides[-2]) or (sum_ is not None and is_name(sum_[1] or sum_[2])):
        return bool(leaf(sides[-2], sides[-1]))
    if not letters[-2] or letters[-1] or len(set().union(*letters)) != 1:
        return True
    return any(ASKED.search(side) or leaf(side, sides[-1]) for side in sides[:-1])


def _unknowns(side: str) -> set[str]:
    """The letters of a side but for those of its texts, of values such as f(2) and C(5,2), and of e and i."""
    side = re.sub(TEXT, "", side)
    for _ in range(2):  # f(f(2))
        side = _CALLED.sub("1", side)
    letters = _LETTER.findall(side)
    return {letter for letter in letters if letter in GREEK or letter[0] != "\\"} - {"e", "i"}


def _equation_text(form: Form) -> str:
    if isinstance(form, Equation):
        return "=".join(form.sides)
    assert isinstance(form, Named)
    return f"{form.name}={form.value.text if isinstance(form.value, Value) else ''}"


def _named(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    if not isinstance(answer, Named):
        assert isinstance(gold, Named)
        return compare(gold.value, answer, leaf)
    if not isinstance(gold, Named):
        parameter = parameter_of(answer.name)
        # A function may be written in any letter if the gold is a formula in x, the usual name of a variable.
        value = answer.value if parameter is None else rename(answer.value, parameter, "x")
        return _any([compare(gold, form, leaf) for form in (answer.value, value)])
    if same_name(gold.name, answer.name):
        return compare(gold.value, answer.value, leaf)
    renamed = rename_parameter(answer, gold.name)
    if renamed is not None:
        return compare(gold.value, renamed, leaf)
    if "(" in gold.name and "(" in answer.name:
        return False  # f(x) and f'(x), or functions of another letter
    a, b = gold.value, answer.value
    if _is_named(a, answer.name) and _is_named(b, gold.name):
        return True  # MR=MC and MC=MR
    if isinstance(a, Value) and isinstance(b, Value) and _has_letters(a.text + b.text):
        return leaf(_equation_text(gold), _equation_text(answer))
    return False


def _is_named(form: Form, name: str) -> bool:
    """Whether a form is this name and nothing else; names of four letters and more are read as words."""
    if isinstance(form, Word):
        return form.text == name.casefold()
    return isinstance(form, Value) and form.unit is None and same_name(form.text, name)


def _has_letters(text: str) -> bool:
    return any(character.isalpha() for character in re.sub(r"\\[a-zA-Z]+", "", text))


def _joined(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    if isinstance(gold, Joined) and isinstance(answer, Joined):
        return _in_any_order(gold.parts, answer.parts, leaf)
    return False


def _intervals(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    left, right = _as_interval(gold), _as_interval(answer)
    if left is None or right is None or left.brackets != right.brackets:
        return False
    if left.variable and right.variable and left.variable != right.variable:
        return False
    return _in_order((left.low, left.high), (right.low, right.high), leaf)


def _as_interval(form: Form) -> Interval | None:
    if isinstance(form, Many) and form.ordered and len(form.items) == 2:
        return Interval("", form.brackets, *form.items)
    return form if isinstance(form, Interval) else None


def _matrices(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    rows, others = _rows(gold), _rows(answer)
    if rows is None or others is None or [len(row) for row in rows] != [len(row) for row in others]:
        return False
    return all_of([_in_order(a, b, leaf) for a, b in zip(rows, others, strict=True)])


def _rows(form: Form) -> Sequence[Sequence[Form]] | None:
    """The rows of a matrix. A tuple (a,b,c) counts as a column, and a list of tuples as a matrix."""
    if isinstance(form, Many) and form.brackets == "[]" and all(isinstance(i, Many) and i.brackets == "[]" for i in form.items):
        return [item.items for item in form.items if isinstance(item, Many)]
    if isinstance(form, Many) and (form.brackets in ("()", "[]") or all(isinstance(item, Many) for item in form.items)):
        return [(item,) for item in form.items]
    return form.rows if isinstance(form, Matrix) else None


def _same_letters(gold: Form, answer: Form) -> bool:
    """Whether both name the same options, one as a word and one as a list: ACD and A, C, D."""
    many, other = (gold, answer) if isinstance(gold, Many) else (answer, gold)
    if not (isinstance(many, Many) and isinstance(other, Value) and re.fullmatch("[A-P]{2,}", other.text)):
        return False
    letters = [item.text for item in many.items if isinstance(item, Value)]
    return len(letters) == len(many.items) and sorted(letters) == sorted(other.text)


def _flat(many: Many) -> Many:
    r"""Writes out \pm in a list or set: 1, \pm 2 becomes 1, 2, -2."""
    if many.ordered:
        return many
    items: list[Form] = []
    for item in map(_expand, many.items):
        items += item.items if isinstance(item, Many) and item.brackets == "" else (item,)
    return Many(many.brackets, tuple(items))


def _many(gold: Form, answer: Form, leaf: Leaf) -> bool | None:
    if not (isinstance(gold, Many) and isinstance(answer, Many)):
        return _same_letters(gold, answer)
    gold, answer = _flat(gold), _flat(answer)
    if not _agree_in_moduli(gold, answer):
        return False
    groups = in_groups(gold.items), in_groups(answer.items)  # a=4, b=1; a=6, b=1 for (4,1), (6,1)
    if not gold.ordered and not answer.ordered and len(groups[0]) == len(groups[1]):
        gold, answer = Many(gold.brackets, tuple(groups[0])), Many(answer.brackets, tuple(groups[1]))
    names = [[item.name for item in many.items if isinstance(item, Named)] for many in (gold, answer)]
    bases = {name.partition("_")[0] for of in names for name in of}
    if all(names) and len(bases) > 1 and len(set(names[0])) == len(gold.items) and set(names[0]) == set(names[1]):
        return _in_any_order(gold.items, answer.items, leaf)
    if gold.ordered or answer.ordered:
        gold, answer = (Many(many.brackets, tuple(in_order_of_names(many.items))) for many in (gold, answer))
    if gold.ordered and answer.ordered:
        return gold.brackets == answer.brackets and _in_order(gold.items, answer.items, leaf)
    left, right = _without_names(gold.items, answer.items)
    if gold.ordered or answer.ordered:  # one of them is bare: (3,4) for 3,4
        return {gold.brackets, answer.brackets} == {"()", ""} and _in_order(left, right, leaf)
    if any(len({name.partition("_")[0] for name in of}) > 1 for of in names):  # x=3, y=4 says which is which
        return r"\{\}" not in (gold.brackets, answer.brackets) and _in_order(left, right, leaf)
    return _in_any_order(left, right, leaf)


def _agree_in_moduli(gold: Many, answer: Many) -> bool:
    """Whether two lists have the same moduli; one modulus of all items may be left out, but not that of some of them."""
    moduli = [{_modulus(item) for item in many.items} for many in (gold, answer)]
    return moduli[0] == moduli[1] or (len(moduli[0]) == len(moduli[1]) == 1 and "" in (moduli[0] | moduli[1]))


def _modulus(form: Form) -> str:
    form = form.value if isinstance(form, Named) else form
    kind = form.unit.kind if isinstance(form, Value) and form.unit else ""
    return kind if kind.startswith(r"\pmod") else ""


def _without_names(gold: Sequence[Form], answer: Sequence[Form]) -> list[Sequence[Form]]:
    """The items of two lists without their names, which roots and points may do without.

    Beside an equation they keep them, since 5+f(x)=x+1 is not f(x)=x+1, and beside an interval, as well as names of powers
    and of different functions: n^2=1, f(2x)=x.
    """
    functions = [{item.name for item in items if isinstance(item, Named) and "(" in item.name} for items in (gold, answer)]
    powers = [{item.name for item in items if isinstance(item, Named) and _POWER.search(item.name)} for items in (gold, answer)]
    beside = any(isinstance(item, (Equation, Interval)) for item in (*gold, *answer)) or powers[0] != powers[1]
    if beside or (all(functions) and functions[0] != functions[1]):
        return [gold, answer]
    return [[item.value if isinstance(item, Named) else item for item in items] for items in (gold, answer)]


# The rules in order of precedence: the first one whose kind either form has compares them.
_RULES: tuple[tuple[type, Callable[[Form, Form, Leaf], bool | None]], ...] = (
    (Family, _families),
    (Alternatives, _alternatives),
    (Option, _options),
    (Word, _words),
    (Equation, _equations),
    (Named, _named),
    (Joined, _joined),
    (Interval, _intervals),
    (Matrix, _matrices),
    (Ratio, equal_ratios),
    (Many, _many),
    (Value, equal_quantities),
)
