"""The features of a change that may have caused an incident, and how much each of them counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NO_RECORDED_CAUSE: Final = "no_recorded_cause"
"""The name of the weight that stands against all changes: the score of a cause that was not recorded."""

DEFAULTS: Final[Mapping[str, float]] = {
    "same_service": 7.92,
    "dependency_1": 4.19,
    "dependency_2": 2.76,
    "caller_1": 4.51,
    "caller_2": 1.41,
    "same_environment": 4.46,
    "unknown_environment": 3.65,
    "age": -1.37,
    "old": -1.63,
    "running": -2.04,
    "failed": 1.23,
    "rolled_back": 2.00,
    "operation": -0.02,
    "drift": -1.30,
    "configuration": 0.28,
    "size": 0.71,
    "superseded": -0.09,
    "rare": 0.39,
    "incident_prone": 0.03,
    "overlaps": 0.04,
    "gradual": 0.52,
    "also_failing": 3.80,
    "mentioned": 4.12,
    "linked": 5.00,
    "other_place": -2.00,
    NO_RECORDED_CAUSE: 6.38,
}
"""The weight of each feature: the logarithm of the factor that 1 of it makes to the odds of a change.

`python -m bench.why --fit` computes them, but for `rolled_back`, `linked` and `other_place`: its histories do
not have these, and their weights are chosen.
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
