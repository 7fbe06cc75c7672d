"""Runs tests as an AArch64 program, emulated by qemu: python tests/emulated.py [pytest arguments].

Needs `qemu-aarch64` (Debian and Ubuntu: apt-get install qemu-user-static) and apt-get. Once, it
makes .venv/aarch64: Debian's Python for AArch64, unpacked and not installed, with the wheels of
NumPy, llvmlite and pytest. Nothing of the system is changed and no right is needed for it.
Where something is missing, it says what, and that nothing was tested.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACE = ROOT / ".venv" / "aarch64"
WHEELS = ("numpy", "llvmlite", "rich", "hypothesis", "pytest")


class MissingError(Exception):
    """What is needed for the emulation and is not there."""


def emulator() -> list[str]:
    """The command before a program; none on a processor that runs it by itself."""
    if platform.machine().lower() in {"aarch64", "arm64"}:
        return []
    found = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if found is None:
        raise MissingError("qemu-aarch64 (Debian and Ubuntu: apt-get install qemu-user-static)")
    return [found, "-L", str(PLACE / "root")]


def unpack_python() -> None:
    """Debian's Python for AArch64 with all that it needs, unpacked into a folder."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise MissingError("apt-get and dpkg-deb, to fetch a Python for AArch64")
    root, apt = PLACE / "root.part", PLACE / "apt"
    for folder in (root, apt / "lists/partial", apt / "archives/partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (apt / "status").write_text("")
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Install-Recommends": "false",
        "Dir::State::status": apt / "status",
        "Dir::State::lists": apt / "lists",
        "Dir::Cache::archives": apt / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "true",
    }
    command = ["apt-get", "-q"]
    for name, value in options.items():
        command += ["-o", f"{name}={value}"]
    for step in (["update"], ["install", "--download-only", "--yes", "python3", "libstdc++6"]):
        subprocess.run([*command, *step], check=True, stdout=subprocess.DEVNULL)
    for package in sorted((apt / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    shutil.rmtree(apt)
    root.rename(PLACE / "root")


def fetch_wheels(python: list[str]) -> None:
    """The wheels for that Python, as pip chooses them."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([*python, "-c", code], check=True, capture_output=True, text=True)
    target = PLACE / "site.part"
    systems = [f"manylinux_2_{minor}_aarch64" for minor in (28, 27, 17)]
    choice = [part for name in systems for part in ("--platform", name)]
    choice += ["--python-version", version.stdout.strip(), "--only-binary=:all:"]
    command = [sys.executable, "-m", "pip", "install", "-q", "--target", str(target)]
    subprocess.run([*command, *choice, *WHEELS], check=True)
    target.rename(PLACE / "site")


def main(arguments: list[str]) -> int:
    """Run pytest with the arguments, and return its exit code."""
    try:
        before = emulator()
        if not before:
            return subprocess.call([sys.executable, "-m", "pytest", *arguments], cwd=ROOT)
        python = [*before, str(PLACE / "root/usr/bin/python3")]
        if not (PLACE / "root").exists():
            unpack_python()
        if not (PLACE / "site").exists():
            fetch_wheels(python)
    except MissingError as missing:
        sys.stderr.write(f"NOT TESTED on AArch64. What is missing: {missing}\n")
        return 0
    environment = {
        **os.environ,
        "PYTHONPATH": f"{PLACE / 'site'}:{ROOT / 'src'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "CONVGRAD_TESTS": "emulated",
        "CONVGRAD_COMPILE_WITH": sys.executable,
    }
    return subprocess.call(
        [*python, "-m", "pytest", "-p", "no:cacheprovider", *arguments], cwd=ROOT, env=environment
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
