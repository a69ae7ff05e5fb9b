-- A record is a document, the ProtoJSON of its message, and columns to find it by.
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

-- Each index ends with the columns that a filter may also name: filters and counts never read the documents.
CREATE INDEX events_by_time
    ON events (time, id, type, priority, status, environment, impact);
CREATE INDEX events_by_service
    ON events (service, time, id, type, priority, status, environment, impact, source);
CREATE INDEX events_by_source
    ON events (source, time, id, type, priority, status, environment, impact);
CREATE INDEX events_by_end
    ON events (end_time, time, id, type, priority, status, environment, impact, service, source)
    WHERE end_time IS NOT NULL;

-- Callers wait most often for locks: so acquiring and releasing one changes few pages. The list of locks is
-- sorted when it is read; it is never long.
CREATE TABLE locks (
    id          TEXT    PRIMARY KEY,
    service     TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    resource    TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    document    TEXT    NOT NULL,
    UNIQUE (service, environment, resource)
) STRICT, WITHOUT ROWID;

CREATE INDEX locks_by_event ON locks (event_id) WHERE event_id <> '';

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

-- The number of events for each combination of values: counting a million events takes too long for a page.
CREATE TABLE facets (
    type        INTEGER NOT NULL,
    priority    INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    impact      INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    PRIMARY KEY (type, priority, status, environment, impact)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER facets_of_created AFTER INSERT ON events BEGIN
    INSERT INTO facets VALUES (new.type, new.priority, new.status, new.environment, new.impact, 1)
        ON CONFLICT DO UPDATE SET events = events + 1;
END;

CREATE TRIGGER facets_of_changed AFTER UPDATE OF type, priority, status, environment, impact ON events
WHEN (old.type, old.priority, old.status, old.environment, old.impact)
    <> (new.type, new.priority, new.status, new.environment, new.impact)
BEGIN
    UPDATE facets SET events = events - 1
        WHERE (type, priority, status, environment, impact)
            = (old.type, old.priority, old.status, old.environment, old.impact);
    INSERT INTO facets VALUES (new.type, new.priority, new.status, new.environment, new.impact, 1)
        ON CONFLICT DO UPDATE SET events = events + 1;
END;

CREATE TRIGGER facets_of_deleted AFTER DELETE ON events BEGIN
    UPDATE facets SET events = events - 1
        WHERE (type, priority, status, environment, impact)
            = (old.type, old.priority, old.status, old.environment, old.impact);
END;

-- When a health check last wrote successfully.
CREATE TABLE health (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    checked_at INTEGER NOT NULL
) STRICT;

INSERT INTO health VALUES (1, 0);
