"""Solutions of house puzzles as models write them, with the cells that are right."""

from __future__ import annotations

GOLD = (
    '{"header": ["House", "Name", "Color", "Pet"], "rows": [["1", "Arnold", "yellow", "science cat"], '
    '["2", "Peter", "red", "dog"]]}'
)
MAPPED = (
    '{"House 1": {"Name": "Arnold", "Color": "yellow", "Pet": "science cat"}, '
    '"House 2": {"Name": "Peter", "Color": "red", "Pet": "dog"}}'
)
RIGHT = (
    '{"House 1": {"Name": "Arnold", "Color": "yellow", "Pet": "science cat"}, '
    '"House 2": {"Name": "Peter", "Color": "red", "Pet": "dog"}}'
)
WRONG = RIGHT.replace("Arnold", "X").replace("Peter", "Arnold").replace("X", "Peter")  # two of six cells
SOLVED = f'{{"reasoning": "Arnold is left.", "solution": {RIGHT}}}'

# text, cells right out of six; None: no answer
ANSWERS: list[tuple[str, int | None]] = [
    (RIGHT, 6),
    (SOLVED, 6),
    (WRONG, 4),
    (f"```json\n{SOLVED}\n```", 6),
    (f"```\n{SOLVED}\n```", 6),
    (f"Here is the solution:\n\n```json\n{SOLVED}\n```\n\nI hope this helps!", 6),
    (f"Let me think. {{not json}} So: {SOLVED}", 6),
    (f"{WRONG}\n\nWait, that breaks clue 1.\n\n{RIGHT}", 6),
    (f"{RIGHT}\n\nWait, that breaks clue 1.\n\n{WRONG}", 4),
    (f'First try: {{"solution": {WRONG}}}. Final: {SOLVED}', 6),
    (SOLVED.replace('"', "'"), 6),
    (SOLVED.replace('"', "“", 1).replace('"', "”", 1), 6),
    (SOLVED.replace('"}, ', '",}, '), 6),
    (SOLVED[:-1] + ",}", 6),
    (SOLVED.replace('"House 2"', '// the other house\n"House 2"'), 6),
    (SOLVED.replace('"House 2"', '/* the other house */ "House 2"'), 6),
    (SOLVED.replace('"House 2"', '# the other house\n"House 2"'), 6),
    (SOLVED.replace("House 1", "house 1").replace("House 2", "HOUSE 2"), 6),
    (SOLVED.replace("House 1", "1").replace("House 2", "2"), 6),
    (SOLVED.replace("House 1", "House1").replace("House 2", "House_2"), 6),
    (SOLVED.replace('"Name"', '"name"').replace('"Color"', '"COLOR"'), 6),
    (SOLVED.replace("Arnold", "ARNOLD").replace("science cat", "Science Cat"), 6),
    (SOLVED.replace("science cat", "science_cat"), 6),
    (SOLVED.replace("science cat", "science-cat"), 6),
    (SOLVED.replace('"Arnold"', '["Arnold"]'), 6),
    (SOLVED.replace('"Arnold"', '" Arnold "'), 6),
    (SOLVED.replace('"Arnold"', '["Arnold", "Peter"]'), 5),
    (SOLVED.replace('"Arnold"', '""'), 5),
    (SOLVED.replace('"Arnold"', "null"), 5),
    (SOLVED.replace('"Arnold"', "None"), 5),
    (SOLVED.replace('"Arnold"', '"Arnold or Peter"'), 5),
    (SOLVED.replace('"Arnold"', "{}"), 5),
    (SOLVED.replace('"Arnold"', "7"), 5),
    (SOLVED.replace('"Name": "Arnold", ', ""), 5),
    (SOLVED.replace('"Name": "Arnold", ', '"Name": "Arnold", "Job": "baker", '), 6),
    ('{"solution": {"House 1": {"Name": "Arnold", "Color": "yellow", "Pet": "science cat"}}}', 3),
    ('{"solution": {}}', None),
    ("{}", None),
    ('{"solution": null}', None),
    ('{"solution": "I do not know"}', None),
    ('{"answer": 7}', None),
    (
        '{"solution": [{"Name": "Arnold", "Color": "yellow", "Pet": "science cat"}, '
        '{"Name": "Peter", "Color": "red", "Pet": "dog"}]}',
        6,
    ),
    (
        '{"solution": [{"House": 1, "Name": "Arnold", "Color": "yellow", "Pet": "science cat"}, '
        '{"House": 2, "Name": "Peter", "Color": "red", "Pet": "dog"}]}',
        6,
    ),
    (
        '{"solution": [{"House": "2", "Name": "Peter", "Color": "red", "Pet": "dog"}, '
        '{"House": "1", "Name": "Arnold", "Color": "yellow", "Pet": "science cat"}]}',
        6,
    ),
    ('[{"Name": "Arnold", "Color": "yellow", "Pet": "science cat"}, {"Name": "Peter", "Color": "red", "Pet": "dog"}]', 6),
    (GOLD, 6),
    ('{"solution": ' + GOLD + "}", 6),
    (
        '{"header": ["House", "Pet", "Name", "Color"], "rows": [["1", "science cat", "Arnold", "yellow"], '
        '["2", "dog", "Peter", "red"]]}',
        6,
    ),
    ('{"House 1": {"Name": "Arnold", "Color": "yellow", "Pet": "science cat"}, "House 2": {"Name": "Peter"', None),
    (f"{WRONG}\nBetter: {RIGHT[:-20]}", 4),
    (f"{RIGHT}\n\nHuman: And the next?\nAssistant: {WRONG}", 6),
    (f"{RIGHT}\nUser: And the next?\nAssistant: {WRONG}", 6),
    (f"{RIGHT}\n\n### Instruction\nThe next.\n\n### Response\n{WRONG}", 6),
    (f"{RIGHT}<|im_start|>user\nNext<|im_start|>assistant\n{WRONG}", 6),
    (f'{RIGHT}\n\nNote: {{"House 1": {{"Name": "Bob"}}}} would violate clue 1.', 6),
    (f'{RIGHT}\n\nIt is impossible to have {{"House 1": {{"Name": "Bob"}}}} here.', 6),
    (f'{RIGHT} (We cannot take {{"House 2": {{"Name": "Bob", "Color": "red"}}}}.)', 6),
    (f'{RIGHT}\n\n{{"House 1": {{"Name": "Bob"}}}} contradicts clue 1. {{"House 2": {{"Name": "Bob"}}}} breaks clue 2.', 6),
    (f'{RIGHT}\n\nThe final answer is {{"House 1": {{"Name": "Bob"}}}}.', 0),
    (f"{WRONG}\n\nThat violates clue 1. So: {RIGHT}", 6),
    (f"{RIGHT}\n\nThat violates clue 1, so it cannot be. So it is: {WRONG}", 4),
    (f'{{"House 1": {{"Name": "Bob"}}}} would violate clue 1.\n\n{RIGHT}', 6),
    ("There is no solution.", None),
    ("", None),
    ("{", None),
    ("{" * 5000, None),
    ("[" * 5000 + "]" * 5000, None),
    ('{"a":' * 3000 + "1" + "}" * 3000, None),
    ("{'solution': __import__('os').system('id')}", None),
    ('{"solution": {"House 1": {"Name": "__import__(\'os\').system(\'id\')"}}}', 0),
    (r"\boxed{" + RIGHT + "}", 6),
    (r"\boxed{\text{" + RIGHT + "}}", 6),
    (SOLVED.replace(" ", "\u00a0"), 6),
    (SOLVED.replace("Arnold", "Arn\u200bold"), 6),
    (SOLVED.replace("Arnold", "\u202eArnold"), 6),
    (SOLVED.replace("Arnold is left.", 'He said \\"left\\".'), 6),
    (SOLVED.replace("Arnold is left.", "Line one.\nLine two."), 6),
    (SOLVED.replace("Arnold is left.", "It's left: {a, b}"), 6),
    (SOLVED.replace("Arnold is left.", "Caf\\u00e9"), 6),
    (SOLVED.replace("Arnold is left.", "C:\\path"), 6),
    (f"<answer>{SOLVED}</answer>", 6),
    (f"Answer: {SOLVED}\n\nNote: {{see above}}", 6),
    (f'{SOLVED}\n\n{{"confidence": 0.9}}', 6),
    (f"{SOLVED} {SOLVED}", 6),
    ("| House | Name | Color | Pet |\n|---|---|---|---|\n| 1 | Arnold | yellow | science cat |\n| 2 | Peter | red | dog |", 6),
    ("| House | Name | Color | Pet |\n|---|---|---|---|\n| 1 | Peter | yellow | science cat |\n| 2 | Arnold | red | dog |", 4),
    ("House 1: Arnold, yellow, science cat. House 2: Peter, red, dog.", None),
    (RIGHT.replace("yellow", "Yellow"), 6),
    (RIGHT.replace("yellow", "yello"), 5),
    (RIGHT.replace('"yellow"', "yellow"), 6),
    (RIGHT.replace('"Name"', "Name").replace('"Color"', "Color"), 6),
    ("{\n  House 1: {Name: Arnold, Color: yellow, Pet: science cat},\n  House 2: {Name: Peter, Color: red, Pet: dog}\n}", 6),
    (SOLVED.replace('"House 1"', '"House 1 "'), 6),
    (SOLVED.replace("House 1", "First House").replace("House 2", "Second House"), 6),
    (SOLVED.replace("House 1", "House 3"), 3),
    (SOLVED.replace("House 2", "House 1"), 0),  # JSON: the last of equal keys counts
]

# text, cells right out of six, the houses that the gold has not
MORE_HOUSES: list[tuple[str, int, list[int]]] = [
    (RIGHT[:-1] + ', "House 3": {"Name": "Bob"}}', 6, [3]),
    (SOLVED[:-2] + ', "House 3": {"Name": "Bob", "Color": "blue"}, "House 4": {"Pet": "fish"}}}', 6, [3, 4]),
    (RIGHT[:-1] + ', "House 0": {"Name": "Bob"}}', 6, [0]),
    (WRONG[:-1] + ', "House 3": {"Name": "Bob"}}', 4, [3]),
    (
        "| House | Name | Color | Pet |\n|---|---|---|---|\n| 1 | Arnold | yellow | science cat |\n| 2 | Peter | red | dog |\n"
        "| 3 | Bob | blue | fish |",
        6,
        [3],
    ),
    (RIGHT[:-1] + ', "House 3": {}}', 6, []),
    (RIGHT[:-1] + ', "House 3": null}', 6, []),
    (RIGHT[:-1] + ', "House 3": {"Name": "", "Color": "___", "Pet": null}}', 6, []),
    (RIGHT[:-1] + ', "Note": {"Name": "Bob"}}', 6, []),
    (RIGHT.replace('"Name": "Arnold"', '"Name": "Arnold", "Job": "baker", "Age": "30"'), 6, []),
]

BAD_GOLDS = [
    "",
    "x",
    "{}",
    "[]",
    "7",
    '{"header": [], "rows": []}',
    '{"header": ["House"], "rows": [["1"]]}',
    '{"House 1": 7}',
    '{"header": ["House", "Name"], "rows": [["1", "___"]]}',
]

# cell of the gold, cell of the answer, equal
CELLS: list[tuple[str, str, bool]] = [
    ("1.5", "1.5", True),
    ("1.5", "15", False),
    ("15", "1.5", False),
    ("1.5", "-1.5", False),
    ("-1.5", "1.5", False),
    ("-1.5", "-1.5", True),
    ("-1.5", "\u22121.5", True),
    ("1", "1.0", True),
    ("1.0", "1", True),
    ("1.50", "1.5", True),
    ("10", "1.0", False),
    ("0.5", ".5", True),
    ("+5", "5", True),
    ("-5", "5", False),
    ("+", "+", True),
    ("-", "-", True),
    ("+", "-", False),
    ("-", "+", False),
    ("+", "x", False),
    ("1.5 km", "15 km", False),
    ("1.5 km", "1.5km", True),
    ("science cat", "science-cat", True),
    ("007", "7", False),
    ("1.2.3", "1.2.3", True),
]
