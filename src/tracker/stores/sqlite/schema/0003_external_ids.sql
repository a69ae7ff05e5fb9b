-- What the source of an event calls it: one event of a source has it.

ALTER TABLE events ADD COLUMN external_id TEXT CHECK (external_id <> '');

CREATE UNIQUE INDEX events_by_external_id ON events (external_id, source) WHERE external_id IS NOT NULL;
