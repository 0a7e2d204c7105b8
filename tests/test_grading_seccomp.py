"""The filter of system calls: its numbers are the kernel's, and it is one that the kernel takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raml_eval.sandbox.seccomp import CLONE, CLONE3, DENIED, FAMILIES, MACHINES, SOCKETS, build_filter
from raml_eval.types import Status
from tests.sandboxes import needs_sandbox, try_out


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_is_well_formed(machine: str) -> None:
    program = build_filter(machine)
    assert len(program) % 8 == 0
    assert len(program) // 8 == 6 + 2 * len(DENIED) + len(SOCKETS) * (4 + len(FAMILIES)) + 7


def test_call_numbers_are_the_kernels() -> None:
    headers = (Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h"))
    if not all(header.is_file() for header in headers):
        pytest.skip("the kernel's headers are not installed")
    for column, header in enumerate(headers):
        found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
        for name, numbers in {**DENIED, **SOCKETS, "clone": CLONE, "clone3": CLONE3}.items():
            assert numbers[column] == int(found.get(name, numbers[column])), name


OPENED = """
import errno, socket
for family in range(64):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        for make in (socket.socket, socket.socketpair):
            try:
                make(family, kind)
            except OSError as error:
                if family not in (1, 2, 10) and error.errno != errno.EAFNOSUPPORT:
                    print(family, error)
            else:
                print(family)
"""


@needs_sandbox
def test_only_the_families_that_programs_need_can_be_opened() -> None:
    """A virtual machine's host is reached by AF_VSOCK (40). Nothing is connected here."""
    program = OPENED + "print('end')"
    verdict = try_out(program.replace("print(family)", "family in (1, 2, 10) or print(family)"), [["", "end"]], wall_s=10.0)
    assert verdict.status is Status.CORRECT, verdict
    needed = "import asyncio, socket\nasyncio.run(asyncio.sleep(0))\nsocket.socketpair()\nsocket.socket()\nprint('ok')"
    assert try_out(needed, [["", "ok"]], wall_s=10.0).status is Status.CORRECT
