-- The changes of events in order, for watches. Triggers write it.

-- Kinds are 1 (created), 2 (updated), 3 (deleted). A document of more than 64 KiB is not copied, unless its event
-- was deleted.
CREATE TABLE event_log (
    number   INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    id       TEXT    NOT NULL,
    document TEXT
) STRICT;

-- The name of this log: a restored file gets a new one.
CREATE TABLE event_log_name (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    name TEXT    NOT NULL
) STRICT;

INSERT INTO event_log_name VALUES (1, lower(hex(randomblob(8))));

CREATE TRIGGER event_log_of_created AFTER INSERT ON events BEGIN
    INSERT INTO event_log (at, kind, id, document)
        VALUES (CAST(unixepoch('subsec') * 1000000 AS INTEGER), 1, new.id,
            iif(octet_length(new.document) <= 65536, new.document, NULL));
END;

CREATE TRIGGER event_log_of_updated AFTER UPDATE OF document ON events BEGIN
    INSERT INTO event_log (at, kind, id, document)
        VALUES (CAST(unixepoch('subsec') * 1000000 AS INTEGER), 2, new.id,
            iif(octet_length(new.document) <= 65536, new.document, NULL));
END;

CREATE TRIGGER event_log_of_deleted AFTER DELETE ON events BEGIN
    INSERT INTO event_log (at, kind, id, document)
        VALUES (CAST(unixepoch('subsec') * 1000000 AS INTEGER), 3, old.id, old.document);
END;

CREATE TRIGGER event_log_forgotten AFTER INSERT ON event_log WHEN new.number % 100 = 0 BEGIN
    DELETE FROM event_log WHERE number <= new.number - 100000;
END;
