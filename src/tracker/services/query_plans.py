"""What a request that asks for its plan is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.query import to_text
from tracker.domain.query.filters import widened
from tracker.domain.times import duration
from tracker.pb import event_pb
from tracker.stores.events import Explanation

if TYPE_CHECKING:
    from tracker.domain.query.filters import EventFilter
    from tracker.services.context import Context


class Planned:
    """Makes the plan of one request, from what the store explains and the time that it takes."""

    def __init__(self, context: Context, *, wanted: bool) -> None:
        self.explanation = Explanation() if wanted else None
        """What to give to the store; None where no plan is wanted."""
        self._context = context
        self._began = context.now()

    def plan(self, where: EventFilter) -> event_pb.QueryPlan | None:
        """Return how the events of a filter were found or counted, once they are; None unless wanted."""
        if self.explanation is None:
            return None
        return event_pb.QueryPlan(
            query=to_text(widened(where)),
            steps=self.explanation.steps,
            documents=self.explanation.documents,
            took=duration(max(0, self._context.now() - self._began)),
        )
