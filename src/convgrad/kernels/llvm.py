"""LLVM behind a typed face: text in, object code out, object code in, addresses out.

llvmlite has no types and takes a while to load, so it is imported here alone and on first use.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from typing import Any

_ENGINES: list[Any] = []
"""Engines own the code their functions live in: freeing one frees code that may still run."""


LONG = 500
"""Lines of a function that is one unrolled tile, and not a loop that copies."""


def is_available() -> bool:
    """Whether llvmlite is installed."""
    return importlib.util.find_spec("llvmlite") is not None


@cache
def _binding() -> Any:
    binding = importlib.import_module("llvmlite.binding")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()  # of instructions that the kernels write themselves
    return binding


@cache
def _machine(processor: str) -> Any:
    binding = _binding()
    target = binding.Target.from_default_triple()
    features = ""
    if processor == "host":
        processor = str(binding.get_host_cpu_name())
        features = str(binding.get_host_cpu_features().flatten())
    return target.create_target_machine(
        cpu=processor, features=features, opt=2, jit=True, codemodel="jitdefault"
    )


@cache
def version() -> str:
    """Everything of the compiler that may change the code it makes."""
    binding = _binding()
    lite = importlib.import_module("llvmlite").__version__
    host = f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"
    return f"llvmlite {lite} llvm {binding.llvm_version_info} {host}"


def host_features() -> frozenset[str]:
    """The instruction sets of the processor at hand, by LLVM's names."""
    features = _binding().get_host_cpu_features()
    return frozenset(str(name) for name, present in features.items() if present)


def host_processor() -> str:
    """The processor at hand, by LLVM's name."""
    return str(_binding().get_host_cpu_name())


def _optimised(text: str, processor: str, *, lean: bool) -> Any:
    binding = _binding()
    module = binding.parse_assembly(text)
    module.verify()
    # The generator unrolls and vectorises what gains by it; LLVM's own attempts only cost time.
    tuning = binding.create_pipeline_tuning_options(speed_level=1)
    tuning.loop_unrolling = False
    tuning.loop_vectorization = False
    tuning.slp_vectorization = False
    builder = binding.create_pass_builder(_machine(processor), tuning)
    if not lean:
        builder.getModulePassManager().run(module, builder)
        return module
    # An unrolled tile needs its variables in registers, the nest around it a little more.
    few, more = (binding.create_new_function_pass_manager() for _ in range(2))
    for manager in (few, more):
        manager.add_sroa_pass()
        manager.add_simplify_cfg_pass()
    more.add_instruction_combine_pass()
    for name, lines in _lines(text).items():
        (few if lines > LONG else more).run(module.get_function(name), builder)
    return module


def _lines(text: str) -> dict[str, int]:
    """Lines of each function; walking its instructions takes longer than compiling some."""
    functions = (part.partition("@") for part in text.split("\ndefine ")[1:])
    return {rest.partition("(")[0]: rest.count("\n") for _, _, rest in functions}


def compile_object(text: str, processor: str, lean: bool = False) -> bytes:
    """Object code of a module in LLVM's language.

    Args:
        text: the module.
        processor: its name for LLVM, or "host".
        lean: only put variables into registers, and combine instructions of short functions: for
            code that is written with nothing left in a loop that could be taken out of it.
    """
    return bytes(_machine(processor).emit_object(_optimised(text, processor, lean=lean)))


def assembly(text: str, processor: str, lean: bool = False) -> str:
    """The same as assembly, to be read."""
    return str(_machine(processor).emit_assembly(_optimised(text, processor, lean=lean)))


def load_object(data: bytes, name: str, processor: str) -> int:
    """Put object code into memory for good, and return the address of one function in it."""
    binding = _binding()
    empty = binding.parse_assembly("")
    engine = binding.create_mcjit_compiler(empty, _machine(processor))
    engine.add_object_file(binding.ObjectFileRef.from_data(data))
    engine.finalize_object()
    _ENGINES.append(engine)
    return int(engine.get_function_address(name))


def load_objects(data: bytes, names: tuple[str, ...], processor: str) -> dict[str, int]:
    """The same for several functions of one object."""
    load_object(data, names[0], processor)
    engine = _ENGINES[-1]
    return {name: int(engine.get_function_address(name)) for name in names}
