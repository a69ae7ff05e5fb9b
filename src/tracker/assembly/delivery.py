"""The delivery service of a server, as the settings have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.environments import environment_in
from tracker.pb import delivery_pb
from tracker.pb.options import number_named
from tracker.services.delivery.service import DeliveryPolicy, DeliveryService

if TYPE_CHECKING:
    from tracker.config.settings import Settings
    from tracker.services.context import Context
    from tracker.stores.base import Store


def open_delivery(settings: Settings, store: Store, context: Context) -> DeliveryService:
    """Return the delivery service.

    Raises:
        SetupError: The settings name an environment that events don't have.
    """
    return DeliveryService(store, context, measurement_of(settings))


def measurement_of(settings: Settings) -> DeliveryPolicy:
    """Return what the settings say of metrics.

    Raises:
        SetupError: They name an environment that events don't have.
    """
    method = number_named(delivery_pb.Method.desc(), settings.delivery_method)
    return DeliveryPolicy(
        delivery_pb.Method(method or 0),
        tuple(environment_in("DELIVERY_ENVIRONMENTS", name) for name in settings.delivery_environments),
        settings.delivery_records,
    )
