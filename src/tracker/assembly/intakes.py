"""The intakes of a server, put together from their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import SetupError
from tracker.intakes.mapping_file import MappingError, MappingFile, environments_of
from tracker.intakes.receiving import Receiving
from tracker.intakes.recorder import Recorder
from tracker.intakes.signatures import SIGNING, signing_key
from tracker.services.catalog_names import CatalogNames
from tracker.services.intakes.inbox import Inbox
from tracker.services.intakes.service import IntakeService

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from structlog.typing import FilteringBoundLogger

    from tracker.api.rpcs import Rpcs
    from tracker.config.settings import Settings
    from tracker.services.context import Context
    from tracker.stores.base import Store
    from tracker.supervision import Supervisor


def open_inbox(
    store: Store, context: Context, tasks: Supervisor, opened: AsyncExitStack
) -> tuple[Inbox, IntakeService]:
    """Begin to count messages of senders; return the inbox, and the service that shows it."""
    inbox = Inbox(store.intakes, store.commits, context)
    opened.push_async_callback(inbox.close)
    tasks.repeat("intakes", inbox.work)
    opened.push_async_callback(tasks.stop, "intakes")
    return inbox, IntakeService(store.intakes, inbox, context)


def open_receiving(
    settings: Settings,
    rpcs: Rpcs,
    store: Store,
    context: Context,
    parts: tuple[Inbox, IntakeService],
    tasks: Supervisor,
    opened: AsyncExitStack,
) -> Receiving:
    """Read the operator's own rules, follow their file, and return what receives messages by them.

    Raises:
        SetupError: The file can't be read, or a rule is wrong.
    """
    inbox, service = parts
    mapping = mapping_of(settings, context.log)
    if settings.intake_mapping is not None:
        tasks.repeat("intake_mapping", mapping.follow)
        opened.push_async_callback(tasks.stop, "intake_mapping")
    recorder = Recorder(
        rpcs,
        store.events.ids_that_begin,
        settings.auth_public_url,
        _secrets(settings, context.log),
        context.now,
        lambda: mapping.current,
        inbox.add_commits,
        known_service=CatalogNames(store.catalog, context).service_of,
    )
    service.senders = receiving = Receiving(recorder, inbox)
    return receiving


def mapping_of(settings: Settings, log: FilteringBoundLogger) -> MappingFile:
    """Return the operator's own rules.

    Raises:
        SetupError: The file can't be read, or a rule is wrong.
    """
    try:
        environments = environments_of(settings.integration_environments)
    except MappingError as error:
        raise SetupError(f"INTEGRATION_ENVIRONMENTS: {error}") from None
    try:
        return MappingFile(settings.intake_mapping, log, environments)
    except (OSError, MappingError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SetupError(f"INTAKE_MAPPING {settings.intake_mapping}: {reason}") from None


def _secrets(settings: Settings, log: FilteringBoundLogger) -> dict[str, str | None]:
    """Return the secrets of products whose webhooks are signed.

    Raises:
        SetupError: One has not the form that it must have.
    """
    signing = settings.integration_gitlab_signing_token
    if signing:
        try:
            signing_key(signing)
        except ValueError as error:
            raise SetupError(f"INTEGRATION_GITLAB_SIGNING_TOKEN: {error}") from None
        if settings.integration_gitlab_secret_token:
            log.warning("INTEGRATION_GITLAB_SECRET_TOKEN is not used beside INTEGRATION_GITLAB_SIGNING_TOKEN")
    return {
        "flux": settings.integration_flux_hmac_key,
        "github": settings.github_webhook_secret,
        "gitlab": settings.integration_gitlab_secret_token,
        f"gitlab{SIGNING}": signing,
        "pagerduty": settings.integration_pagerduty_secret,
        "terraform": settings.integration_terraform_token,
    }
