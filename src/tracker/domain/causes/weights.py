"""The features of a change that may have caused an incident, and how much each of them counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NO_RECORDED_CAUSE: Final = "no_recorded_cause"
"""The name of the weight that stands against all changes: the score of a cause that was not recorded."""

DEFAULTS: Final[Mapping[str, float]] = {
    "same_service": 9.37,
    "dependency_1": 6.98,
    "dependency_2": 6.28,
    "caller_1": 6.49,
    "caller_2": 4.46,
    "shared": -1.05,
    "same_environment": 4.67,
    "unknown_environment": 4.13,
    "age": -1.40,
    "old": -1.42,
    "stranger_age": 0.92,
    "running": -2.79,
    "running_age": 1.32,
    "failed": 1.39,
    "rolled_back": 2.00,
    "operation": 0.06,
    "drift": -1.33,
    "configuration": 0.12,
    "size": 0.73,
    "superseded": -0.14,
    "rare": 0.04,
    "incident_prone": 0.28,
    "overlaps": -0.22,
    "gradual": 0.45,
    "also_failing": 7.14,
    "mentioned": 3.80,
    "stranger_mentioned": 4.40,
    "linked": 5.00,
    "other_place": -2.00,
    "freeze_lifted": -6.00,
    NO_RECORDED_CAUSE: 8.28,
}
"""The weight of each feature: the logarithm of the factor that 1 of it makes to the odds of a change.

`python -m bench.why --fit --seeds 6` computes them, but for `rolled_back`, `linked`, `other_place` and
`freeze_lifted`: its histories do not have these, and their weights are chosen. That of `freeze_lifted` makes
a freeze window that ended when an incident of its service began less likely than a cause not recorded.
"""


def read_weights(words: Iterable[str]) -> Mapping[str, float]:
    """Return the weights that words such as `age=-1.2` change, all others as they are by default.

    Raises:
        ValueError: One is not such a word; the message says what was expected.
    """
    weights = dict(DEFAULTS)
    for word in words:
        given = _WEIGHT.fullmatch(word)
        if given is None or given[1] not in weights:
            raise ValueError(
                f"expected one of {', '.join(weights)} and a number, such as age=-1.2; got {word!r}"
            )
        weights[given[1]] = float(given[2])
    return weights


_WEIGHT: Final = re.compile(r"([a-z_0-9]+)\s*=\s*([-+]?[0-9]{1,2}(?:\.[0-9]{1,9})?)")
