"""Templates of texts for people: a part of Jinja2 whose cost is bounded by the length of the template.

There are names and their fields, conditions, comparisons and a few filters; no loops, calls or arithmetic.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tracker.errors import FieldViolation, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

_NODES: Final = (
    *(
        nodes.Template,
        nodes.Output,
        nodes.TemplateData,
        nodes.Name,
        nodes.Const,
        nodes.Getattr,
        nodes.Getitem,
    ),
    *(nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat),
    *(nodes.Filter, nodes.Test),
)
_FILTERS: Final = frozenset({"default", "d", "upper", "lower", "title", "capitalize", "trim", "length"})
_TESTS: Final = frozenset({"defined", "undefined", "in", "true", "false", "none"})
_LONGEST: Final = 20_000
_FAILURES: Final = (TypeError, ValueError, LookupError, AttributeError)
"""What filters, tests and comparisons raise for values that they can't take."""
_TEXTS: Final[Mapping[str, str]] = defaultdict(lambda: "text")
_SAMPLE: Final = {
    "event": defaultdict[str, object](lambda: "text", labels=_TEXTS),
    **dict.fromkeys(("change", "news", "time", "url"), "text"),
}
"""Values such as those of any event."""

_environment = ImmutableSandboxedEnvironment(undefined=jinja2.ChainableUndefined, autoescape=False)
_environment.globals.clear()


def require_template(source: str) -> None:
    """Check the template of a request.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is not a template, or has more than is allowed.
    """
    try:
        _compiled(source).render(_SAMPLE)
    except RecursionError:
        raise invalid(FieldViolation("notification.template", "is nested too deeply")) from None
    except (jinja2.TemplateError, *_FAILURES) as error:
        problem = f"expected a template: {error}"
        raise invalid(FieldViolation("notification.template", problem)) from None


def rendered(source: str, values: Mapping[str, object]) -> str:
    """Return the text of a template that `require_template` accepts, or nothing where it fails for values.

    A comparison with a label that an event lacks fails.
    """
    try:
        return _compiled(source).render(values)[:_LONGEST].strip()
    except (jinja2.TemplateError, *_FAILURES):
        return ""


@lru_cache(maxsize=256)
def _compiled(source: str) -> jinja2.Template:
    for node in _environment.parse(source).find_all(nodes.Node):
        name = getattr(node, "name", "")
        if not isinstance(node, _NODES):
            raise jinja2.TemplateSyntaxError(f"{type(node).__name__.lower()} is not allowed", node.lineno)
        if isinstance(node, nodes.Filter) and name not in _FILTERS:
            raise jinja2.TemplateSyntaxError(f"the filter {name} is not allowed", node.lineno)
        if isinstance(node, nodes.Test) and name not in _TESTS:
            raise jinja2.TemplateSyntaxError(f"the test {name} is not allowed", node.lineno)
    return _environment.from_string(source)
