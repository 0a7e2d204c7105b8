"""Labels of a closed set, such as true, false and uncertain: which one an answer settles on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from raml_eval.errors import TaskError
from raml_eval.grading.extraction import Extraction
from raml_eval.grading.label.prose import closing_label, prose_places, read_prose
from raml_eval.grading.label.reading import Found, label_end, read_at, read_whole
from raml_eval.grading.label.words import Labels, label_words
from raml_eval.grading.statements.flow import edge_lines, settle_text, strong_places, to_extraction
from raml_eval.grading.statements.places import Place, phrase_places
from raml_eval.grading.statements.settle import cut_next_question, read_before
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import lower, soft_key


def extract_label(text: str, options: Sequence[str] = ()) -> Extraction:
    """The one label that the text settles on, spelled as in options.

    The last statement that is neither denied nor doubted decides: a box, an answer tag, JSON, '####', 'the answer is' or a
    line that is a label and nothing else. If there is none, 'the conclusion is false', 'so, no', 'it cannot be determined'
    and the like decide, and then the end of the text. Words of the same meaning count, in many languages: 'yes' or 'correct'
    for true, 'unknown' for uncertain; 'not true' is false. Several labels are no answer.

    Example: extract_label("So the claim is not true.", ("True", "False")).answer is "False".
    """
    labels, low = label_words(tuple(options)), lower(text)
    return read_before(cut_next_question(low), len(text), lambda end: _extract(text[:end], low[:end], labels))


def _extract(text: str, low: str, labels: Labels) -> Extraction:
    def read(place: Place) -> Found | None:
        if place.end is None:
            return read_at(low, place.at, labels)
        label = read_whole(low[place.at : place.end], labels)
        return None if label is None else (label, place.end)

    found = settle_text(
        low,
        strong=strong_places(text, _line_places(text, low, labels), _phrases(text, low)),
        read=read,
        weak=lambda start: prose_places(low, start, labels),
        read_weak=lambda place: read_prose(low, place, labels),
        closing=lambda: closing_label(text, low, labels),
    )
    return to_extraction(found, "several labels")


def _phrases(text: str, low: str) -> Iterator[Place]:
    """The answer phrases; one in Chinese that ends in a word for yes ends before that word: '答案是：是' is yes."""
    for place in phrase_places(low):
        is_yes = PHRASES["yes in phrase"].match(low, place.at - 1) is not None
        yield Place(place.start, place.at - 1 if is_yes else place.at, None, place.rule)


def _line_places(text: str, low: str, labels: Labels) -> Iterator[Place]:
    """The first and the last line if they are a label and nothing else."""
    for lines, rule in zip(edge_lines(text, 2000), ("first line", "last line"), strict=True):
        for start, end in lines:
            end = label_end(low, start, end, labels)
            if end - start <= 100 and soft_key(low[start:end].strip(" >#*-•")) in labels.words:
                yield Place(start, start, end, rule)


def gold_label(gold: str, options: Sequence[str]) -> str | None:
    """The label that a gold names, in any word for it; None if it names none.

    Example: gold_label("unknown", ("True", "False", "Uncertain")) is "Uncertain".
    """
    return label_words(tuple(options)).words.get(soft_key(gold))


def required_label(gold: str, options: Sequence[str]) -> str:
    """Like gold_label, but raises TaskError for a gold that names none of the labels."""
    label = gold_label(gold, options)
    if label is None:
        raise TaskError(
            f"the gold {gold[:80]!r} is none of the labels {', '.join(options)[:200] or '(there are none)'}; correct the "
            "task's target or its options."
        )
    return label
