"""Compiles on one processor for another: python cross.py TRIPLE PROCESSOR FEATURES LEAN.

A program in LLVM's language comes in, object code goes out. An emulated LLVM is twenty times as
slow as this one and makes the same code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache


def compile_outside(python: str, text: str, lean: bool = False) -> bytes:
    """Object code for this processor, which is emulated, made by a Python that is not."""
    from llvmlite import binding

    features = binding.get_host_cpu_features().flatten()
    command = [python, __file__, binding.get_process_triple(), binding.get_host_cpu_name()]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [*command, features, str(int(lean))],
        input=text.encode(),
        env=environment,
        stdout=-1,
        check=True,
    ).stdout


def main(triple: str, processor: str, features: str, lean: str) -> None:
    """Compile from standard input to standard output."""
    from llvmlite import binding

    from convgrad.kernels import llvm

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()

    @cache
    def machine(_: str) -> object:
        return binding.Target.from_triple(triple).create_target_machine(
            cpu=processor, features=features, opt=2, jit=True, codemodel="jitdefault"
        )

    llvm._machine = machine
    sys.stdout.buffer.write(llvm.compile_object(sys.stdin.read(), processor, lean == "1"))


if __name__ == "__main__":
    main(*sys.argv[1:])
