"""The whole server, put together from its parts."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

import uuid_utils

from tracker.api.calls.access import Authenticate, Authorize
from tracker.api.calls.answers import UnsentAnswers
from tracker.api.calls.callers import LimitCallers
from tracker.api.calls.endpoint import Chain, Endpoint, methods_of
from tracker.api.calls.forwarded import Forwarded
from tracker.api.calls.hosts import KnownHosts
from tracker.api.calls.same_origin import SameOrigin
from tracker.api.calls.slices import Slices
from tracker.api.calls.steps import (
    Deadline,
    Idempotency,
    Observe,
    OpenStreams,
    Validate,
)
from tracker.api.calls.turns import Turns
from tracker.api.cors import Cors
from tracker.api.grpc import GrpcServer
from tracker.api.http_protocol import HttpLimits
from tracker.api.http_server import HttpServer
from tracker.api.mcp import AgentRoute
from tracker.api.rest import RestApi
from tracker.api.routes import Readiness, documentation, metrics_page, probes, web_configuration
from tracker.api.rpcs import Rpcs
from tracker.api.wires import require_free
from tracker.assembly.access import AccessControl, call_rates, open_tls
from tracker.assembly.audit import open_audit
from tracker.assembly.delivery import open_delivery
from tracker.assembly.deployments import open_deployments
from tracker.assembly.incidents import open_incidents
from tracker.assembly.intakes import open_inbox, open_receiving
from tracker.assembly.retention import open_retention
from tracker.assembly.storage import open_store
from tracker.assembly.tracing import open_tracing
from tracker.assembly.webhooks import open_webhooks
from tracker.domain.times import duration
from tracker.domain.versions.schemes import read_schemes
from tracker.errors import Reason, SetupError, TrackerError
from tracker.intakes.dogstatsd import Dogstatsd
from tracker.intakes.slack import SlackInteractions, users_by_slack_id
from tracker.intakes.terraform_backend import TerraformBackend
from tracker.permissions import Permission
from tracker.services.catalog import CatalogService
from tracker.services.consumers import ConsumerRunner
from tracker.services.context import Context, SystemClock
from tracker.services.events.analysis import EventAnalysis
from tracker.services.events.changes import EventChanges
from tracker.services.events.imports import EventImports
from tracker.services.events.queries import EventQueries
from tracker.services.events.reporter import EventReporter
from tracker.services.events.starts import StartGuard
from tracker.services.events.watches import EventFeed, EventWatches
from tracker.services.freezes import FreezeWindowService
from tracker.services.idempotency import IdempotencyKeys
from tracker.services.links import LinkService
from tracker.services.locks.leases import LeaseKeeper
from tracker.services.locks.queue import LockQueue
from tracker.services.locks.reporter import LockReporter
from tracker.services.locks.service import LockService
from tracker.services.terraform import TerraformService
from tracker.services.versions import VersionService
from tracker.supervision import Supervisor
from tracker.telemetry.metrics import Metrics
from tracker.time_text import MICROS
from tracker.web.pages import NAVIGATION, PAGES
from tracker.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from structlog.typing import FilteringBoundLogger

    from tracker.api.routes import HttpRoute
    from tracker.assembly.webhooks import Webhooks
    from tracker.config.settings import Settings
    from tracker.intakes.receiving import Receiving
    from tracker.services.consumers import Consumer
    from tracker.services.context import Call, MakeClock


class App:
    """A server that runs inside `async with`: three ports and a store.

    `grpc_address`, `http_address` and `metrics_address` are what it listens on, once it runs. `access` is its
    access control, and `dogstatsd` receives datagrams, where that is asked for.
    """

    grpc_address: tuple[str, int]
    http_address: tuple[str, int]
    metrics_address: tuple[str, int]
    access: AccessControl
    dogstatsd: Dogstatsd | None = None

    def __init__(
        self,
        settings: Settings,
        log: FilteringBoundLogger,
        clock: MakeClock = SystemClock,
        consumers: Sequence[Consumer] = (),
    ) -> None:
        self._settings = settings
        self._log = log
        self._clock = clock
        self._consumers = consumers
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the store, then the ports; what was opened is closed again where a part fails.

        Raises:
            SetupError: The settings, or a file that they name, can't be used.
            StoreOpenError: The store can't be served.
            OSError: A port can't be had.
        """
        async with AsyncExitStack() as opened:
            await self._start(opened)
            self._running = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say that the server is not ready, finish the calls under way, then close the store."""
        self._log.info("shutting down servers...")
        await self._running.aclose()
        self._log.info("servers stopped")

    async def _start(self, opened: AsyncExitStack) -> None:
        settings, log = self._settings, self._log
        # Before the store, so that a port that is taken leaves no new file.
        require_free(settings.host, settings.metrics_port, settings.http_port, settings.grpc_port)
        metrics = Metrics(max_services=settings.max_service_labels)
        tasks = Supervisor(log, metrics.tasks)
        opened.push_async_callback(tasks.close)
        tls = open_tls(settings, tasks, log, opened)
        tracing = open_tracing(settings, log, opened)
        store = await open_store(settings, metrics, tracing, log, tasks, opened)

        clock = self._clock(store.now)
        context = Context(clock.now, lambda: str(uuid_utils.uuid7()), log, settings.timezone)
        queue = LockQueue(store.locks, context, metrics.locks, tasks)
        opened.push_async_callback(queue.close)
        feed = EventFeed(store.changes)
        tasks.repeat("event_feed", feed.follow, max_pause=1.0)
        opened.push_async_callback(tasks.stop, "event_feed")
        reporter = LockReporter(context, metrics.locks, queue.freed)
        keeper = LeaseKeeper(store.locks, context, reporter, metrics.locks, clock)
        tasks.repeat("leases", keeper.keep, max_pause=1.0)
        opened.push_async_callback(tasks.stop, "leases")

        recorder, audit = await open_audit(settings, store.audit, context, clock, tasks, opened)
        webhooks = open_webhooks(settings, store.webhooks, context, metrics.webhooks, tasks, opened, tracing)
        for consumer in (recorder.consumer(), webhooks.consumer, *self._consumers):
            await ConsumerRunner(consumer, store, context, metrics.consumers, clock).start(tasks, opened)

        holds, retention = open_retention(
            settings, store, audit, context, clock, metrics.retention, tasks, opened
        )
        inbox, intakes = open_inbox(store, context, tasks, opened)
        streams, unsent = OpenStreams(metrics.watches), UnsentAnswers(settings.unsent_answers_mib, metrics)
        self.access = access = await AccessControl(settings, store.access, context, metrics.auth).open(
            clock, tasks, streams, opened
        )
        chain = Chain(
            Forwarded(settings.trusted_proxies),
            *tracing.steps,
            Observe(metrics, log),
            unsent,
            Slices(),
            KnownHosts(settings.allowed_hosts),
            Authenticate(access.authenticators, access.keys.known, access.anonymous, access.attempts),
            LimitCallers(call_rates(settings), Turns()),
            Authorize(),
            SameOrigin(settings.cors_allowed_origins),
            streams,
            Deadline(settings.call_timeout),
            Validate(),
            Idempotency(keys := IdempotencyKeys(store.idempotency, context)),
        )
        ttl = duration(round(settings.locks_auto_ttl * MICROS)) if settings.locks_auto_ttl else None
        events, of_events = store.events, EventReporter(context, metrics)
        locks, kept = (store.locks, queue, reporter), settings.terraform_versions_kept
        services = (
            changes := EventChanges(
                events,
                of_events,
                *locks,
                context,
                settings.locks_auto,
                ttl,
                StartGuard(store.freezes, settings.freezes_enforced),
                holds,
            ),
            EventImports(events, of_events, context, holds),
            EventQueries(events, context),
            EventAnalysis(events, context),
            EventWatches(feed, context),
            versions := VersionService(
                store, context, read_schemes(settings.version_schemes), settings.deployment_order
            ),
            CatalogService(store.catalog, context, versions),
            LockService(*locks, context, metrics.locks, events, access.is_current),
            LinkService(store.links, context),
            FreezeWindowService(store.freezes, context),
            access.service,
            access.people,
            access.own_sessions,
            audit,
            retention,
            webhooks.service,
            open_incidents(settings, store, context),
            open_deployments(settings, store, context, access.anonymous, access.directory.person_of),
            open_delivery(settings, store, context),
            terraform := TerraformService(store.terraform, store.locks, changes, context, kept),
            intakes,
        )
        methods, ready = tuple(methods_of(services)), Readiness(store.check)
        rpcs = Rpcs(methods, keys)
        receiving = open_receiving(settings, rpcs, store, context, (inbox, intakes), tasks, opened)
        self._receive_datagrams(chain, receiving, context, metrics, tasks, opened)
        routes = [
            *receiving.routes(),
            *TerraformBackend(rpcs, terraform, settings.terraform_state_mib << 20).routes(),
            *self._interactions(rpcs, webhooks, context).routes(),
            *AgentRoute(rpcs, log).routes(),
            *(*probes(ready), *documentation(), *access.routes, _web_configuration(settings)),
            *Site(rpcs, access.login, NAVIGATION, clock.now, settings.timezone).routes(PAGES),
        ]
        rest, metrics_api = (
            RestApi(chain, methods, routes, log=log, cors=Cors(settings.cors_allowed_origins)),
            RestApi(chain, (), (metrics_page(metrics.exposition), *probes(ready)), log=log),
        )
        metrics_server = HttpServer(
            metrics_api, settings.host, settings.metrics_port, unsent, tls=tls("http/1.1", for_clients=False)
        )
        http_server = HttpServer(
            rest,
            settings.host,
            settings.http_port,
            unsent,
            limits=HttpLimits.for_bodies(settings.terraform_state_mib << 20),
            tls=tls("http/1.1"),
        )
        grpc_server = GrpcServer(
            chain, methods, settings.host, settings.grpc_port, streams=streams, log=log, tls=tls("h2")
        )

        await metrics_server.start()
        opened.push_async_callback(metrics_server.stop, 0)
        await http_server.start()
        opened.push_async_callback(http_server.stop, settings.shutdown_grace)
        await grpc_server.start()
        opened.push_async_callback(self._stop_wires, streams, http_server, grpc_server)
        opened.push_async_callback(self._drain, ready, queue, grpc_server)
        self._report_addresses(grpc_server, http_server, metrics_server)

    def _interactions(self, rpcs: Rpcs, webhooks: Webhooks, context: Context) -> SlackInteractions:
        secret, users = self._settings.slack_signing_secret, users_by_slack_id(self._settings.slack_users)
        return SlackInteractions(rpcs, secret, users, self.access, webhooks.http, context.now)

    def _receive_datagrams(  # noqa: PLR0913, PLR0917 - its dependencies
        self,
        chain: Chain,
        receiving: Receiving,
        context: Context,
        metrics: Metrics,
        tasks: Supervisor,
        opened: AsyncExitStack,
    ) -> None:
        address = self._settings.dogstatsd_address
        if not address:
            return
        if not self.access.anonymous.may(Permission.EVENT_WRITE):
            raise SetupError("DOGSTATSD_ADDRESS needs event:write in AUTH_ANONYMOUS_PERMISSIONS")
        handle = chain.compose(Endpoint("dogstatsd", receiving.record_datagram, Permission.EVENT_WRITE))
        self.dogstatsd = receiver = Dogstatsd(address, handle, context.new_id, metrics)
        opened.push_async_callback(receiver.close)
        tasks.repeat("dogstatsd", receiver.record)
        opened.push_async_callback(tasks.stop, "dogstatsd")
        self._log.info("DogStatsD listening", address=address)

    def _report_addresses(self, grpc: GrpcServer, http: HttpServer, metrics: HttpServer) -> None:
        self.grpc_address, self.http_address, self.metrics_address = grpc.bound, http.bound, metrics.bound
        for name, server in (("gRPC", grpc), ("HTTP", http), ("metrics", metrics)):
            host, port = server.bound
            self._log.info("%s server listening on :%d", name, port, host=host, port=port)

    async def _drain(self, ready: Readiness, queue: LockQueue, grpc_server: GrpcServer) -> None:
        ready.drain()
        queue.drain()
        grpc_server.drain()
        await asyncio.sleep(self._settings.shutdown_drain)

    async def _stop_wires(
        self, streams: OpenStreams, http_server: HttpServer, grpc_server: GrpcServer
    ) -> None:
        streams.end(_moved)
        grace = self._settings.shutdown_grace
        await asyncio.gather(http_server.stop(grace), grpc_server.stop(grace))


def _moved(endpoint: Endpoint, _call: Call) -> TrackerError | None:
    """Return why a watch ends while the server stops; health and reflection end when gRPC does."""
    if endpoint.rpc is None:
        return None
    message = "the server is stopping; watch on from the last resume_token at another one"
    return TrackerError(Reason.DRAINING, message)


def _web_configuration(settings: Settings) -> HttpRoute:
    """Return `/config.js`, in the shape that the Go implementation gives it."""
    return web_configuration(
        {
            "jira": {"domain": settings.jira_domain, "projectKey": settings.jira_project_key},
            "slack": {"workspace": settings.slack_workspace, "eventsChannel": settings.slack_events_channel},
            "demoMode": settings.demo_mode,
            "buyMeCoffeeUrl": settings.buy_me_coffee_url,
            "homerUrl": settings.homer_url,
            "clarityProjectId": settings.clarity_project_id,
        }
    )
