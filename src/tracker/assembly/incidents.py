"""The incident service of a server, put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.causes.weights import read_weights
from tracker.errors import SetupError
from tracker.services.incidents.records import RecordReader
from tracker.services.incidents.service import IncidentService, Judgement
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from tracker.config.settings import Settings
    from tracker.services.context import Context
    from tracker.stores.base import Store


def open_incidents(settings: Settings, store: Store, context: Context) -> IncidentService:
    """Return the incident service.

    Raises:
        SetupError: The weights of features can't be used.
    """
    judgement = judgement_of(settings)
    reader = RecordReader(store.events, store.catalog, store.freezes, round(settings.why_window * MICROS))
    return IncidentService(store.events, reader, context, judgement)


def judgement_of(settings: Settings) -> Judgement:
    """Return how the causes of incidents are judged.

    Raises:
        SetupError: The weights of features can't be used.
    """
    try:
        return Judgement(read_weights(settings.why_weights), settings.why_threshold)
    except ValueError as error:
        raise SetupError(f"WHY_WEIGHTS: {error}") from None
