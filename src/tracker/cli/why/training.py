"""`tracker why --train`: computes the weights of features from the causes that people recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tracker.cli.exits import FAILED, CommandError
from tracker.cli.printing import echo, say, shown_progress
from tracker.cli.tables import Column, print_rows
from tracker.logit import Case, fit, log_loss, probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tracker.cli.calls import Api
    from tracker.client.connection import Connection
    from tracker.pb import event_pb, incident_pb

_RECORDED = "type:incident (has:caused_by OR has:not_caused_by)"
_PAGE = 200
_MOST = 200
"""Incidents that are learned from, the newest."""
_COMPARED = 200
"""Changes of an incident that are learned from, the likeliest."""
_FEWEST = 20
_FOLDS = 5
_NONE = "no_recorded_cause"

_WEIGHTS = (
    Column("FEATURE", least=10),
    Column("INCIDENTS", rank=3, least=5),
    Column("OLD", rank=1, least=5),
    Column("NEW", least=5),
)
_FIGURES = (Column("HELD OUT", least=10), Column("OLD", least=5), Column("NEW", least=5))


class _Learned(NamedTuple):
    """Incidents whose cause people recorded, or excluded, and the weights of the server."""

    cases: Sequence[Case]
    weights: Mapping[str, float]
    outside: int


def train_weights(api: Api) -> None:
    """Print the weights that recorded causes lead to, beside those of the server, and what they would change.

    Each fifth of the incidents is judged by weights from the other four, so that no figure is of incidents
    that the weights were made from.
    """
    with api.connected() as connection, shown_progress() as progress:
        learned = _learn(connection, progress)
    cases, weights = learned.cases, learned.weights
    if len(cases) < _FEWEST:
        message = f"{len(cases)} incidents have a recorded cause; at least {_FEWEST} are needed to train"
        raise CommandError(f"{message}: tracker why ID --caused-by CHANGE records one", FAILED)
    present, trained = _figures(cases, [weights] * _FOLDS), _figures(cases, [*_by_fold(cases, weights)])
    new = fit(cases, weights)
    used = {
        name: sum(any(each.get(name) for each in case.alternatives) for case in cases) for name in weights
    }
    echo(f"{len(cases)} incidents with recorded causes, {learned.outside} whose cause was not compared")
    echo()
    print_rows(_WEIGHTS, [(name, used[name], f"{weights[name]:.2f}", f"{new[name]:.2f}") for name in weights])
    echo()
    print_rows(_FIGURES, [(name, f"{present[name]:.3f}", f"{trained[name]:.3f}") for name in present])
    echo()
    changed = {name: round(value, 3) for name, value in new.items() if abs(value - weights[name]) > 0.0005}  # noqa: PLR2004 - rounded to nothing
    if trained["log loss"] >= present["log loss"]:
        say("the new weights are no better on incidents that they were not made from: keep the old ones")
    echo(f"WHY_WEIGHTS={','.join(f'{name}={value:g}' for name, value in new.items() if name in changed)}")


def _learn(connection: Connection, progress: Callable[[str, int, int | None], None]) -> _Learned:
    """Return what the server says of incidents with a recorded cause, as of when each of them began."""
    cases: list[Case] = []
    weights: Mapping[str, float] = {}
    outside = 0
    incidents = _incidents(connection)
    for number, incident in enumerate(incidents):
        progress("incidents", number, len(incidents))
        answer = _explained_then(connection, incident)
        weights = dict(answer.weights)
        changes = [each for each in answer.suspects if each.change]  # of freeze windows, nobody says anything
        numbers = {_id(each.change): number for number, each in enumerate(changes)}
        metadata = incident.metadata
        caused = metadata.caused_by if metadata is not None else []
        excluded = metadata.not_caused_by if metadata is not None else []
        chosen = [numbers[each] for each in caused if each in numbers]
        if caused and not chosen:
            outside += 1
            continue
        rest = range(len(changes) + 1)
        possible = chosen or [number for number in rest if number not in {numbers.get(e) for e in excluded}]
        features = [{part.feature: part.value for part in each.reasons} for each in changes]
        cases.append(Case([*features, {_NONE: 1.0}], possible))
    progress("incidents", len(incidents), len(incidents))
    return _Learned(cases, weights, outside)


def _incidents(connection: Connection) -> Sequence[event_pb.Event]:
    from protobuf.wkt import UInt32Value

    from tracker.client.rpcs import SEARCH_EVENTS

    found: list[event_pb.Event] = []
    token = ""
    while len(found) < _MOST:
        request = SEARCH_EVENTS.request(query=_RECORDED, per_page=UInt32Value(value=_PAGE), page_token=token)
        answer = connection.call(SEARCH_EVENTS, request)
        found += answer.events
        if not (token := answer.next_page_token):
            break
    return found[:_MOST]


def _explained_then(connection: Connection, incident: event_pb.Event) -> incident_pb.ExplainIncidentResponse:
    from protobuf.wkt import UInt32Value

    from tracker.client.rpcs import EXPLAIN_INCIDENT

    attributes, metadata = incident.attributes, incident.metadata
    began = attributes.start_date if attributes is not None else None
    began = began or (metadata.created_at if metadata is not None else None)
    as_of = began.to_json().strip('"') if began is not None else ""
    request = EXPLAIN_INCIDENT.request(id=_id(incident), limit=UInt32Value(value=_COMPARED), as_of=as_of)
    return connection.call(EXPLAIN_INCIDENT, request)


def _id(event: event_pb.Event | None) -> str:
    return event.metadata.id if event is not None and event.metadata is not None else ""


def _by_fold(cases: Sequence[Case], weights: Mapping[str, float]) -> Iterator[Mapping[str, float]]:
    """Yield the weights from all cases but those of each fold."""
    for fold in range(_FOLDS):
        yield fit([case for number, case in enumerate(cases) if number % _FOLDS != fold], weights)


def _figures(cases: Sequence[Case], by_fold: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """Return how well the weights of each fold rank the causes of its cases."""
    ranks = [
        _rank(case, by_fold[number % _FOLDS]) for number, case in enumerate(cases) if len(case.chosen) == 1
    ]
    losses = [log_loss([case], by_fold[number % _FOLDS]) for number, case in enumerate(cases)]
    known = max(1, len(ranks))
    return {
        "hit@1": sum(rank == 1 for rank in ranks) / known,
        "hit@3": sum(rank <= 3 for rank in ranks) / known,  # noqa: PLR2004 - as its name says
        "MRR": sum(1 / rank for rank in ranks) / known,
        "log loss": sum(losses) / len(losses),
    }


def _rank(case: Case, weights: Mapping[str, float]) -> int:
    """Return the place of the cause among the changes, from 1."""
    likely = probabilities(case.alternatives, weights)[:-1]
    (chosen,) = case.chosen
    return 1 + sum(each > likely[chosen] for each in likely) if chosen < len(likely) else 1
