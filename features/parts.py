"""``part``: compiles a function that only compiled code calls, without machine code of its own.

numba makes optimised machine code of every function, with all that it calls once more inside. The innermost function
of a chain is so made again at each level above it, and only the last is ever run. Parts are handed up after the cheap
half of the passes, and optimised where they are used: compiling the simulator's day takes half the processor time. The
bytes of the answers are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class _PartLibrary(JITCodeLibrary):
    """The code of one part, as LLVM's intermediate code that its callers link in."""

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Nothing: what a part raises needs no environment, and code from the cache has none either."""

    def get_pointer_to_function(self, name: str) -> int:
        """0, numba's answer for a function that is not there: Python cannot call a part."""
        self._ensure_finalized()  # type: ignore[no-untyped-call]
        return 0

    def _optimize_final_module(self) -> None:
        """The cheap half of numba's passes, in which references to arrays are dropped; callers run the dear half."""
        settings = {"loop_vectorize": False, "slp_vectorize": False, "opt": 0, "cost": "cheap"}
        passes, builder = self._codegen._module_pass_manager(**settings)  # type: ignore[no-untyped-call]
        passes.run(self._final_module, builder)

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)  # type: ignore[no-untyped-call]
class _PartLowering(NativeLowering):
    _name = "part_lowering"

    def run_pass(self, state: Any) -> Any:
        state.library = _PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)  # type: ignore[no-untyped-call]
        return super().run_pass(state)  # type: ignore[no-untyped-call]


class _PartCompiler(CompilerBase):
    """numba's usual steps, with a part's library in place of one with machine code."""

    def define_pipelines(self) -> list[Any]:
        steps = DefaultPassBuilder.define_nopython_pipeline(self.state)  # type: ignore[no-untyped-call]
        steps.passes = [(_PartLowering if one is NativeLowering else one, why) for one, why in steps.passes]
        steps.finalize()
        return [steps]


def part(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator: compiles a function for compiled code alone. ``options`` go to ``numba.njit``.

    A part counts no references to the arrays that it is given, because its caller holds them: the code is smaller and
    compiles faster. So a part that makes an array asks for ``_nrt=True``; numba refuses to compile it without. Only
    such a part may return an array.

    A call with a constant reuses the code for any whole number: numba would compile the part once for each constant it
    is called with.
    """

    def compile_it(function: Callable[..., Any]) -> Any:
        alone = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _PartCompiler, "_nrt": False}
        compiled: Any = njit(**(alone | options))(function)  # type: ignore[call-overload]
        with_constants = compiled.get_call_template

        def without_constants(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
            plain: Callable[[Any], Any] = types.unliteral
            return with_constants(tuple(plain(a) for a in args), {k: plain(v) for k, v in kws.items()})

        compiled.get_call_template = without_constants
        return compiled

    return compile_it


__all__ = ["part"]
