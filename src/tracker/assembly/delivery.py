"""The delivery service of a server, as the settings have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.environments import environment_name
from tracker.errors import SetupError
from tracker.pb import delivery_pb, event_pb
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
    numbers = {
        name: number_named(event_pb.Environment.desc(), environment_name(name.strip()))
        for name in settings.delivery_environments
    }
    for name, number in numbers.items():
        if not number:
            raise SetupError(f"DELIVERY_ENVIRONMENTS: expected environments of events, got {name!r}")
    method = number_named(delivery_pb.Method.desc(), settings.delivery_method)
    return DeliveryPolicy(
        delivery_pb.Method(method or 0),
        tuple(event_pb.Environment(number) for number in numbers.values() if number),
        settings.delivery_records,
    )
