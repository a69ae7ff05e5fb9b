"""The calls of the event service."""

from __future__ import annotations

from tracker.pb import event_pb as pb

from .rpc import Rpc

ADD_CHANGELOG_ENTRY = Rpc(pb.AddChangelogEntryRequest, pb.AddChangelogEntryResponse)
CREATE_EVENT = Rpc(pb.CreateEventRequest, pb.CreateEventResponse)
DELETE_EVENTS = Rpc(pb.DeleteEventRequest, pb.DeleteEventResponse)
GET_EVENT = Rpc(pb.GetEventRequest, pb.GetEventResponse)
GET_EVENT_FACETS = Rpc(pb.GetEventFacetsRequest, pb.GetEventFacetsResponse)
GET_EVENT_HISTOGRAM = Rpc(pb.GetEventHistogramRequest, pb.GetEventHistogramResponse)
GET_EVENT_OVERLAPS = Rpc(pb.GetEventOverlapsRequest, pb.GetEventOverlapsResponse)
IMPORT_EVENTS = Rpc(pb.ImportEventsRequest, pb.ImportEventsResponse)
LIST_EVENTS = Rpc(pb.ListEventsRequest, pb.ListEventsResponse)
LIST_RELATED_EVENTS = Rpc(pb.ListRelatedEventsRequest, pb.ListRelatedEventsResponse)
SEARCH_EVENTS = Rpc(pb.SearchEventsRequest, pb.SearchEventsResponse)
UPDATE_EVENT = Rpc(pb.UpdateEventRequest, pb.UpdateEventResponse)
WATCH_EVENTS = Rpc(pb.WatchEventsRequest, pb.WatchEventsResponse)
