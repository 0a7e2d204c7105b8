"""The filter of system calls: its numbers are the kernel's, and it is one that the kernel takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raml_eval.sandbox.seccomp import CLONE, CLONE3, DENIED, MACHINES, build_filter


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_is_well_formed(machine: str) -> None:
    program = build_filter(machine)
    assert len(program) % 8 == 0
    assert len(program) // 8 == 6 + 2 * len(DENIED) + 7


def test_call_numbers_are_the_kernels() -> None:
    headers = (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h"))
    if not all(header.is_file() for header in headers):
        pytest.skip("the kernel's headers are not installed")
    for column, header in enumerate(headers):
        found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
        for name, numbers in {**DENIED, "clone": CLONE, "clone3": CLONE3}.items():
            assert numbers[column] == int(found.get(name, numbers[column])), name
