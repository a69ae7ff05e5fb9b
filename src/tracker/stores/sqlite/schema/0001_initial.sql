-- A record is one document, the ProtoJSON of its message, beside the columns that find it.
-- Times are microseconds since 1970-01-01T00:00:00Z. Enums are their numbers.

PRAGMA application_id = 1414679378; -- 'TRKR'

CREATE TABLE events (
    number      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    slack_id    TEXT    CHECK (slack_id <> ''),
    time        INTEGER NOT NULL,
    end_time    INTEGER,
    type        INTEGER NOT NULL,
    priority    INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    impact      INTEGER NOT NULL,
    service     TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    document    TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_slack_id ON events (slack_id) WHERE slack_id IS NOT NULL;

-- Each index ends with what a filter may ask besides, so that filters and counts never touch the documents.
CREATE INDEX events_by_time
    ON events (time, id, type, priority, status, environment, impact);
CREATE INDEX events_by_service
    ON events (service, time, id, type, priority, status, environment, impact, source);
CREATE INDEX events_by_source
    ON events (source, time, id, type, priority, status, environment, impact);
CREATE INDEX events_by_end
    ON events (end_time, time, id, type, priority, status, environment, impact, service, source)
    WHERE end_time IS NOT NULL;

CREATE TABLE locks (
    number      INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    service     TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    resource    TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    document    TEXT    NOT NULL,
    UNIQUE (service, environment, resource)
) STRICT;

CREATE INDEX locks_by_event ON locks (event_id) WHERE event_id <> '';
CREATE INDEX locks_by_creation ON locks (created_at, id);

CREATE TABLE catalog (
    number   INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL
) STRICT;

CREATE TABLE links (
    number   INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    "group"  TEXT NOT NULL,
    name     TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT;

-- 'events' is how many events there are: counting a million takes longer than a page may.
-- 'checked' is when a change was last proven possible.
CREATE TABLE state (
    name  TEXT    PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO state VALUES ('events', 0), ('checked', 0);

CREATE TRIGGER events_inserted AFTER INSERT ON events BEGIN
    UPDATE state SET value = value + 1 WHERE name = 'events';
END;

CREATE TRIGGER events_deleted AFTER DELETE ON events BEGIN
    UPDATE state SET value = value - 1 WHERE name = 'events';
END;
