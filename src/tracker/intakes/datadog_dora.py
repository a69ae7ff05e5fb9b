"""The intake of Datadog's DORA Metrics API: https://docs.datadoghq.com/api/latest/dora-metrics/."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from protobuf.wkt import UInt32Value

from tracker.api.http_exchange import HttpResponse, json_response
from tracker.api.routes import ForeignTerms, HttpRoute
from tracker.domain.events import attributes_of, metadata_of
from tracker.domain.query.fields import BY_NAME, SERVICE, SOURCE, TIME, label
from tracker.domain.query.text import to_text
from tracker.domain.query.tree import Range, Term, all_of, any_of, one_of
from tracker.domain.times import micros
from tracker.errors import Reason, TrackerError
from tracker.intakes import tags
from tracker.intakes.datadog import api_key, refusal
from tracker.intakes.datadog_dora_events import (
    DEPLOYMENT,
    FAILURE,
    FIELD,
    GIT,
    ID,
    SENDER,
    as_json,
    deployment_request,
    env_of,
    failure_request,
    id_of,
)
from tracker.intakes.datadog_queries import translated
from tracker.intakes.datadog_v2 import refusal_of_create
from tracker.intakes.requests import (
    LONGEST,
    LONGEST_LABEL,
    json_object,
    number,
    optional,
    part,
    refused,
    text,
    zoned,
)
from tracker.pb import event_pb
from tracker.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.api.routes import HttpRequest
    from tracker.domain.query.tree import Node
    from tracker.intakes.datadog_dora_events import Kind
    from tracker.intakes.recorder import Recorder
    from tracker.services.context import Call

_BASE: Final = "/api/v2/dora"
_PER_PAGE: Final = 10
_MOST: Final = 1000


class DatadogDora:
    """Records deployments and the incidents that follow from them, for clients of Datadog."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""
        create = partial(HttpRoute, "POST", compressed=True, foreign=ForeignTerms(api_key, refusal_of_create))
        route = partial(HttpRoute, compressed=True, foreign=ForeignTerms(api_key, refusal))
        write, read = Permission.EVENT_WRITE, Permission.EVENT_READ
        return (
            create(f"{_BASE}/deployment", self._create_deployment, write),
            create(f"{_BASE}/failure", self._create_failure, write),
            create(f"{_BASE}/incident", self._create_failure, write),
            route("PATCH", f"{_BASE}/deployments", self._patch_version, write),
            route("PATCH", f"{_BASE}/deployments/{{deployment_id}}", self._patch, write),
            *(
                each
                for kind in (DEPLOYMENT, FAILURE)
                for path, one in ((f"{_BASE}/{kind.word}", f"{{{kind.word}_id}}"),)
                for each in (
                    route("POST", f"{path}s", partial(self._list, kind), read),
                    route("GET", f"{path}s/{one}", partial(self._get, kind), read),
                    route("DELETE", f"{path}/{one}", partial(self._delete, kind), write),
                )
            ),
        )

    async def _create_deployment(self, request: HttpRequest, call: Call) -> HttpResponse:
        content = _attributes(request)
        return await self._record(deployment_request(content), DEPLOYMENT, call, content)

    async def _create_failure(self, request: HttpRequest, call: Call) -> HttpResponse:
        content = _attributes(request)
        asked = failure_request(content)
        if asked.attributes and call.principal.may(Permission.EVENT_READ):
            cause = await self._cause(asked.attributes, call)
            asked.attributes.related_id = metadata_of(cause).id if cause else ""
        return await self._record(asked, FAILURE, call, content)

    async def _record(
        self, asked: event_pb.CreateEventRequest, kind: Kind, call: Call, content: Mapping[str, Any]
    ) -> HttpResponse:
        event = await self._recorder.create(asked, call, content)
        return json_response({"data": {"id": id_of(event), "type": kind.kind}})

    async def _cause(self, failed: event_pb.EventAttributes, call: Call) -> event_pb.Event | None:
        """Return the deployment that a failure names by its version or its commit, the last one before it."""
        sha = failed.labels.get(GIT["commit_sha"], "")
        named: list[Node] = [one_of(BY_NAME["version"], (failed.version,))] if failed.version else []
        named += [one_of(label(GIT["commit_sha"]), (sha,))] if sha else []
        if not named or failed.start_date is None:
            return None
        until = Term(TIME, (Range(None, micros(failed.start_date) + 1),))
        service = [] if failed.service == "unknown" else [one_of(SERVICE, (failed.service,))]
        return await self._latest([*named, *service, until, *_environment(failed.environment)], call)

    async def _latest(self, wanted: Sequence[Node], call: Call) -> event_pb.Event | None:
        """Return the latest deployment that meets conditions."""
        deployments = one_of(BY_NAME["type"], (event_pb.Type.deployment,))
        found = await self._recorder.find((deployments, *wanted), call, 1)
        return found.events[0] if found.events else None

    async def _named(self, kind: Kind, given: str, call: Call) -> event_pb.Event:
        """Return the deployment or failure with an id: its own, or that which its client gave it.

        Raises:
            TrackerError: As GetEvent does.
        """
        of_kind = one_of(BY_NAME["type"], (kind.type,))
        sent = all_of((one_of(BY_NAME["external_id"], (given,)), one_of(SOURCE, (SENDER,))))
        wanted = any_of((one_of(BY_NAME["id"], (given.lower(),)), sent))
        found = await self._recorder.find((of_kind, wanted), call, 1) if ID.fullmatch(given) else None
        if found is None or not found.events:
            raise TrackerError(Reason.EVENT_NOT_FOUND, f"no {kind.word} has the id {given[:LONGEST]}")
        return found.events[0]

    async def _get(self, kind: Kind, request: HttpRequest, call: Call) -> HttpResponse:
        event = await self._named(kind, request.captures[0], call)
        return json_response({"data": as_json(event, kind)})

    async def _delete(self, kind: Kind, request: HttpRequest, call: Call) -> HttpResponse:
        event = await self._named(kind, request.captures[0], call)
        await self._recorder.delete(event_pb.DeleteEventRequest(id=metadata_of(event).id), call)
        return HttpResponse(b"", (), HTTPStatus.ACCEPTED)

    async def _list(self, kind: Kind, request: HttpRequest, call: Call) -> HttpResponse:
        content = _attributes(request)
        since, until = (text(content, name) for name in ("from", "to"))
        bounds = [micros(zoned(name, of)) if of else None for name, of in (("from", since), ("to", until))]
        parts: list[Node] = [one_of(BY_NAME["type"], (kind.type,))]
        if since or until:
            parts.append(Term(TIME, (Range(bounds[0], None if bounds[1] is None else bounds[1] + 1),)))
        sort = text(content, "sort") or "-started_at"
        if sort not in {"started_at", "-started_at"}:
            raise refused("sort", "expected started_at or -started_at")
        limit = number("limit", text(content, "limit") or f"{_PER_PAGE}", _MOST)
        given = translated(text(content, "query")).strip()
        asked = event_pb.SearchEventsRequest(
            query=f"{to_text(all_of(tuple(parts)))}{f' ({given})' if given else ''}",
            per_page=UInt32Value(value=limit or _PER_PAGE),
            order_by="-time" if sort.startswith("-") else "time",
        )
        found = await self._recorder.search(asked, call)
        return json_response({"data": [as_json(each, kind) for each in found.events]})

    async def _patch(self, request: HttpRequest, call: Call) -> HttpResponse:
        event = await self._named(DEPLOYMENT, request.captures[0], call)
        return await self._mark(event, _attributes(request), call)

    async def _patch_version(self, request: HttpRequest, call: Call) -> HttpResponse:
        content = _attributes(request)
        event = await self._of_version(content, text(content, "version"), call)
        return await self._mark(event, content, call)

    async def _of_version(self, content: Mapping[str, Any], version: str, call: Call) -> event_pb.Event:
        """Return the latest deployment of a version of the service that a request names."""
        service = text(content, "service")
        if not service or not version:
            raise refused(f"{FIELD}{'version' if service else 'service'}", "expected a text")
        attributes = event_pb.EventAttributes()
        tags.apply([f"env:{text(content, 'env')}"], attributes)
        wanted = [one_of(SERVICE, (service,)), one_of(BY_NAME["version"], (version,))]
        if not attributes.environment and text(content, "env"):
            wanted.append(one_of(label("env"), (text(content, "env"),)))
        found = await self._latest([*wanted, *_environment(attributes.environment)], call)
        if found is None:
            raise TrackerError(
                Reason.EVENT_NOT_FOUND, f"no deployment of {service} has the version {version}"
            )
        return found

    async def _mark(self, event: event_pb.Event, content: Mapping[str, Any], call: Call) -> HttpResponse:
        """Label a deployment as a failure or not, and link the deployment to it that put it right."""
        failed = optional(content, "change_failure", bool)
        if failed is None:
            raise refused(f"{FIELD}change_failure", "expected true or false")
        given, labels = part(content, "remediation"), {"change_failure": str(failed).lower()}
        if given:
            remedy_id, kind = text(given, "id"), text(given, "type")
            of_same = {"service": attributes_of(event).service, "env": env_of(attributes_of(event))}
            remedy = (
                await self._named(DEPLOYMENT, remedy_id, call)
                if remedy_id
                else await self._of_version(of_same, text(given, "version"), call)
            )
            labels |= {"remediation": metadata_of(remedy).id, "remediation_type": kind}
            marks = {kind: "true"} if kind in {"rollback", "rollforward"} else {}
            related = "" if attributes_of(remedy).related_id else metadata_of(event).id
            await self._label(remedy, marks, call, related)
        await self._label(event, labels, call)
        return HttpResponse(b"", (), HTTPStatus.ACCEPTED)

    async def _label(
        self, event: event_pb.Event, labels: Mapping[str, str], call: Call, related: str = ""
    ) -> None:
        given = {name: of[:LONGEST_LABEL] for name, of in labels.items()}
        request = event_pb.UpdateEventRequest(
            id=metadata_of(event).id,
            title=event.title,
            attributes=event_pb.EventAttributes(labels=given, related_id=related),
            merge=True,
        )
        await self._recorder.update(request, call)


def _environment(environment: event_pb.Environment) -> Sequence[Node]:
    return [one_of(BY_NAME["environment"], (environment,))] if environment else []


def _attributes(request: HttpRequest) -> Mapping[str, Any]:
    return part(part(json_object(request.body), "data"), "attributes")
