"""The calls of the event service."""

from __future__ import annotations

from tracker.pb import event_pb

from .rpc import Rpc, methods_of

_METHODS = methods_of(event_pb.desc())

CREATE_EVENT = Rpc(_METHODS["CreateEvent"], event_pb.CreateEventRequest, event_pb.CreateEventResponse)
IMPORT_EVENTS = Rpc(
    _METHODS["ImportEvents"], event_pb.ImportEventsRequest, event_pb.ImportEventsResponse, repeatable=True
)
UPDATE_EVENT = Rpc(
    _METHODS["UpdateEvent"], event_pb.UpdateEventRequest, event_pb.UpdateEventResponse, repeatable=True
)
DELETE_EVENTS = Rpc(_METHODS["DeleteEvents"], event_pb.DeleteEventRequest, event_pb.DeleteEventResponse)
GET_EVENT = Rpc(_METHODS["GetEvent"], event_pb.GetEventRequest, event_pb.GetEventResponse)
LIST_EVENTS = Rpc(_METHODS["ListEvents"], event_pb.ListEventsRequest, event_pb.ListEventsResponse)
SEARCH_EVENTS = Rpc(_METHODS["SearchEvents"], event_pb.SearchEventsRequest, event_pb.SearchEventsResponse)
ADD_CHANGELOG_ENTRY = Rpc(
    _METHODS["AddChangelogEntry"], event_pb.AddChangelogEntryRequest, event_pb.AddChangelogEntryResponse
)
GET_EVENT_FACETS = Rpc(
    _METHODS["GetEventFacets"], event_pb.GetEventFacetsRequest, event_pb.GetEventFacetsResponse
)
GET_EVENT_OVERLAPS = Rpc(
    _METHODS["GetEventOverlaps"], event_pb.GetEventOverlapsRequest, event_pb.GetEventOverlapsResponse
)
LIST_RELATED_EVENTS = Rpc(
    _METHODS["ListRelatedEvents"], event_pb.ListRelatedEventsRequest, event_pb.ListRelatedEventsResponse
)
WATCH_EVENTS = Rpc(_METHODS["WatchEvents"], event_pb.WatchEventsRequest, event_pb.WatchEventsResponse)
GET_EVENT_HISTOGRAM = Rpc(
    _METHODS["GetEventHistogram"], event_pb.GetEventHistogramRequest, event_pb.GetEventHistogramResponse
)
