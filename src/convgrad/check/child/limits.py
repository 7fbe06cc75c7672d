"""What the child may not do, put on by itself before it sees the code under test.

Three layers, each on its own where the others are missing: the kernel's limits on memory, time,
processes and files; namespaces of Linux (no network, a read-only file system, no other processes
to see or signal, everything inside dies with the child); and an audit hook of Python, which works
on every system and says in words what was tried.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_NOSUID_NODEV, MS_REC_PRIVATE = 2 | 4, 0x4000 | (1 << 18)
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
FIRST_SPARE_USER = 61_000


class ForbiddenError(PermissionError):
    """The code under test tried something that a backward pass has no reason to do."""


def isolate(scratch: str, memory: int, seconds: int) -> tuple[list[str], int]:
    """Put every limit on this process that the system permits.

    Returns: which they are, and the number of this process as those outside see it.
    """
    put, number = ["limits"], os.getpid()
    if sys.platform == "linux":
        more, number = _namespaces(scratch)
        put += more
        put += _spare_user(scratch)
    _resource_limits(memory, seconds)
    sys.addaudithook(_Watch(scratch))
    return put, number


def _resource_limits(memory: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:
        return
    limits = {
        "RLIMIT_AS": memory,
        "RLIMIT_CPU": seconds,
        "RLIMIT_FSIZE": 2**24,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": 128,
        "RLIMIT_NPROC": 32,
    }
    for name, value in limits.items():
        which = getattr(resource, name, None)
        if which is None:
            continue
        try:
            resource.setrlimit(which, (value, value))
        except (OSError, ValueError):
            continue


def _namespaces(scratch: str) -> tuple[list[str], int]:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
    if user != 0:
        flags |= CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        return [], os.getpid()
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    number = _fork_into_new_processes(libc)
    with contextlib.suppress(OSError):  # Linux 6.14: a limit for this process namespace alone
        Path("/proc/sys/kernel/pid_max").write_text("310", encoding="ascii")
    put = ["no network", "own processes"]
    if _read_only_files(libc, scratch):
        put.append("read-only files")
    return put, number


def _fork_into_new_processes(libc: Any) -> int:
    """Process 1 of the new process namespace goes on; when it ends, all processes in it end.

    Returns: its number in the namespace of its parent.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    os.close(ours if child else theirs)
    if child:
        os.write(theirs, str(child).encode())
        os.close(theirs)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code < 0:  # pass the signal on, so that the parent sees how it ended
            os.kill(os.getpid(), -code)
        os._exit(code & 0xFF)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    number = int(os.read(ours, 20))
    os.close(ours)
    return number


def _read_only_files(libc: Any, scratch: str) -> bool:
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    if libc.mount(None, b"/", None, MS_REC_PRIVATE, None) != 0:
        return False
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    pointer = ctypes.byref(attributes)
    if libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, pointer, size) != 0:
        return False
    options = b"size=32m,mode=777"
    libc.mount(b"tmpfs", scratch.encode(), b"tmpfs", MS_NOSUID_NODEV, options)
    os.chdir(scratch)
    return True


def _spare_user(scratch: str) -> list[str]:
    """Root becomes a user that owns nothing, provided that user can read Python and NumPy."""
    libc: Any = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getuid() != 0:
        return []
    readable = [Path(p) for p in (*sys.path, sys.executable, scratch) if p and Path(p).exists()]
    folders = {folder for p in readable for folder in (p, *p.resolve().parents)}
    if not all(folder.stat().st_mode & 0o005 for folder in folders):
        return []
    spare = FIRST_SPARE_USER + int.from_bytes(os.urandom(2), "little") % 4000
    try:
        os.setgroups([])
        os.setresgid(spare, spare, spare)
        os.setresuid(spare, spare, spare)
    except OSError:
        return []
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_DUMPABLE, 0)
    return ["spare user"]


class _Watch:
    """Audit hook: refuses processes, sockets, writing outside the scratch folder and C calls."""

    REFUSED = frozenset(
        {
            "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
            "os.kill", "os.killpg", "subprocess.Popen", "pty.spawn",
            "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo",
            "os.chmod", "os.chown", "os.putenv", "signal.pthread_kill", "webbrowser.open",
        }
    )  # fmt: skip
    CHANGES = frozenset(
        {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate",
         "shutil.rmtree", "shutil.move", "shutil.copyfile"}
    )  # fmt: skip

    def __init__(self, scratch: str) -> None:
        self._scratch = str(Path(scratch).resolve())
        self._realpath = os.path.realpath
        self._write = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in self.REFUSED:
            raise ForbiddenError(f"{event} is not allowed while a backward pass is checked")
        if event in self.CHANGES and isinstance(arguments[0], (str, bytes, os.PathLike)):
            self._inside(event, arguments[0])
        elif event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            _, mode, flags = (*arguments, None, None)[:3]
            text = isinstance(mode, str) and any(letter in mode for letter in "wax+")
            if text or (isinstance(flags, int) and flags & self._write):
                self._inside("writing", arguments[0])

    def _inside(self, what: str, path: Any) -> None:
        real = os.fsdecode(self._realpath(path))
        if real != os.devnull and not real.startswith(self._scratch + os.sep):
            raise ForbiddenError(f"{what} outside the scratch folder is not allowed: {real}")
