-- The changes of events, locks and catalog entries, in order. Each is written in the transaction of the change. The
-- earlier log had positions without a time, which no reader can continue from: this one starts empty.

DROP TRIGGER event_log_of_created;
DROP TRIGGER event_log_of_updated;
DROP TRIGGER event_log_of_deleted;
DROP TABLE event_log;
DROP TABLE event_log_name;

-- Records are 1 (event), 2 (lock), 3 (catalog entry); kinds are 1 (created), 2 (updated), 3 (deleted). A document of
-- more than 65,536 bytes is not copied, unless its record was deleted. There is no index: writers append.
CREATE TABLE changes (
    number    INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    record    INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    id        TEXT    NOT NULL,
    principal TEXT    NOT NULL,
    before    TEXT,
    after     TEXT,
    ending    TEXT,
    reason    TEXT
) STRICT;

-- The name of this log, and the minimum number of changes to keep (the setting CHANGES_KEPT).
CREATE TABLE change_log (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    name TEXT    NOT NULL,
    kept INTEGER NOT NULL
) STRICT;

INSERT INTO change_log VALUES (1, lower(hex(randomblob(8))), 100000);

-- After the setting was lowered, a thousand changes are deleted at a time, so no writer waits long.
CREATE TRIGGER changes_forgotten AFTER INSERT ON changes WHEN new.number % 100 = 0 BEGIN
    DELETE FROM changes WHERE number <= new.number - (SELECT kept FROM change_log)
        AND number < (SELECT min(number) FROM changes) + 1000;
END;

-- The position of each consumer of the changes, and the server that runs it.
CREATE TABLE consumers (
    name   TEXT    PRIMARY KEY,
    log    TEXT    NOT NULL,
    number INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    server TEXT    NOT NULL,
    beats  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
