-- The id of an event at its source, unique for each source.

ALTER TABLE events ADD COLUMN external_id TEXT CHECK (external_id <> '');

CREATE UNIQUE INDEX events_by_external_id ON events (external_id, source) WHERE external_id IS NOT NULL;
