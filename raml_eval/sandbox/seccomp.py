"""The filter of system calls for every process in a sandbox, in the form that bubblewrap takes.

Namespaces and resource limits do most of the work. The filter covers what they leave open: kernel memory that no limit
counts (shared memory segments, anonymous files, file systems in a program's own user namespace), and other processes'
memory.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Mapping

# Numbers from Linux's asm/unistd_64.h and asm-generic/unistd.h (aarch64): name -> (x86_64, aarch64).
DENIED: Mapping[str, tuple[int, int]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
# Programs talk to themselves (asyncio, multiprocessing) by the first family, and to a loopback that leads nowhere by the
# others. Every other family is one more part of the kernel to attack, or a way out (AF_VSOCK reaches a virtual machine's host).
FAMILIES: Mapping[str, int] = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
SOCKETS: Mapping[str, tuple[int, int]] = {"socket": (41, 198), "socketpair": (53, 199)}
CLONE: tuple[int, int] = (56, 220)
CLONE3: tuple[int, int] = (435, 435)
MACHINES: Mapping[str, tuple[int, int]] = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column, audit number

_NEW_NAMESPACES = 0x7E020000  # all CLONE_NEW* flags
_X32 = 0x40000000  # calls of the x32 interface carry this bit
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|..., BPF_RET
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _EPERM, _ENOSYS, _EAFNOSUPPORT = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026, 0x00050061


def build_filter(machine: str = "") -> bytes:
    """The filter as an array of struct sock_filter, for this machine or the named one.

    Denied calls fail with EPERM. clone3 fails with ENOSYS, as on a kernel without it, because its flags are in memory,
    where a filter cannot see them; libraries then use clone, whose flags the filter sees. A socket of a family that is not in
    FAMILIES fails with EAFNOSUPPORT, as on a kernel without it. KeyError if the machine is not in
    MACHINES.
    """
    column, audit = MACHINES[machine or platform.machine()]
    program = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _EPERM),
    ]
    for numbers in DENIED.values():
        program += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _EPERM)]
    for numbers in SOCKETS.values():
        program += [(_EQUAL, 0, 3 + len(FAMILIES), numbers[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
        program += [(_EQUAL, len(FAMILIES) - place, 0, family) for place, family in enumerate(FAMILIES.values())]
        program += [(_RETURN, 0, 0, _EAFNOSUPPORT), (_RETURN, 0, 0, _ALLOW)]
    program += [
        (_EQUAL, 0, 1, CLONE3[column]),
        (_RETURN, 0, 0, _ENOSYS),
        (_EQUAL, 0, 3, CLONE[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
