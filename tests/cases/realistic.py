"""Whole answers in the manner of many models, each read by a person; written apart from the grader's rules.

The texts stand in realistic.txt: a line '@@ kind options expected', then the answer. expected '-' means that a careful reader
takes no answer from the text. For bracket and exact, expected is a gold that the answer must equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

OPTIONS: dict[str, tuple[str, ...]] = {
    "NONE": (),
    "ENZYME": ("Both decrease", "Km increases, Vmax unchanged", "Km decreases, Vmax decreases", "Km unchanged, Vmax decreases"),
    "PHYS": ("9.8 m/s", "14.0 m/s", "19.8 m/s", "24.2 m/s"),
    "LAW": (
        "the employer, because the contract was not in writing",
        "the employee, because of part performance",
        "the employer, because there was no consideration",
        "the employee, because the promise was indefinite",
    ),
    "TEN": tuple(f"{n} metres" for n in range(5, 55, 5)),
    "LOGIC": ("Only I", "Only II", "Both I and II", "Neither I nor II"),
    "MUSR": ("Harry", "Rosemary"),
    "TEAM": (
        "Recitation: David, Scoring: Lily and Rachel",
        "Recitation: Lily, Scoring: David and Rachel",
        "Recitation: Rachel, Scoring: David and Lily",
    ),
    "GENO": ("AA", "Aa", "aa"),
    "CHEM": ("H2O", "CO2", "N2"),
    "SCI": ("6.6 × 10^-34 J", "1.1 × 10^-19 J", "2.2 × 10^-19 J", "3.3 × 10^-19 J"),
    "ALG": ("$3$", r"$\pm 3$", r"$\frac{3}{2}$", "none of these"),
    "VOCAB": ("glad", "a little", "a song", "an idea"),
    "TFU": ("True", "False", "Uncertain"),
    "TF": ("True", "False"),
    "YN": ("yes", "no"),
    "VALID": ("valid", "invalid"),
    "NLI": ("entailment", "contradiction", "neutral"),
}


def read_cases() -> Iterator[tuple[str, tuple[str, ...], str, str]]:
    """(kind, options, text, expected) of each answer."""
    text = (Path(__file__).parent / "realistic.txt").read_text(encoding="utf-8")
    for block in text.split("@@ ")[1:]:
        header, _, answer = block.partition("\n")
        kind, options, expected = header.split(" ", 2)
        yield kind, OPTIONS[options], answer.rstrip("\n"), "" if expected == "-" else expected
