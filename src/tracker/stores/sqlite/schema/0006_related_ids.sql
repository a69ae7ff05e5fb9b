-- The event that another one links to. It is read from the document, so older events have it too.

ALTER TABLE events ADD COLUMN related_id TEXT GENERATED ALWAYS AS
    (CASE WHEN json_valid(document) THEN document ->> '$.attributes.relatedId' END) VIRTUAL;

CREATE INDEX events_by_related_id ON events (related_id, time, id) WHERE related_id IS NOT NULL;
