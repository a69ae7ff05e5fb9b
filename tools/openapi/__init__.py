"""The OpenAPI documents, built from the protos: their services, comments, HTTP bindings and rules.

This runs when files are generated, not in a server: comments are in the compiler's output only.
"""

from __future__ import annotations

from .document import build_document
from .swagger2 import as_swagger2

__all__ = ["as_swagger2", "build_document"]
