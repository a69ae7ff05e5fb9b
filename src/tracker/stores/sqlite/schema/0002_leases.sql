-- Locks with leases, fencing tokens, and tokens that make repeating a call safe.

-- Every key that was ever locked: the last fencing token it gave, and the lock that has it now.
CREATE TABLE lock_keys (
    service       TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    resource      TEXT    NOT NULL,
    fencing_token INTEGER NOT NULL,
    lock_id       TEXT,
    PRIMARY KEY (service, environment, resource)
) STRICT, WITHOUT ROWID;

INSERT INTO lock_keys SELECT service, environment, resource, 0, id FROM locks;

-- The keys keep locks apart, so that taking and releasing one still changes two pages: one there, one here.
-- Durations are microseconds, 0 where there is none.
CREATE TABLE new_locks (
    id          TEXT    PRIMARY KEY,
    service     TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    resource    TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    ttl         INTEGER NOT NULL,
    lock_delay  INTEGER NOT NULL,
    renewals    INTEGER NOT NULL,
    expired     INTEGER NOT NULL,
    token_hash  BLOB    NOT NULL,
    document    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO new_locks
    SELECT id, service, environment, resource, event_id, created_at, 0, 0, 0, 0, x'', document FROM locks;
DROP TABLE locks;
ALTER TABLE new_locks RENAME TO locks;

CREATE INDEX locks_by_event ON locks (event_id) WHERE event_id <> '';

-- How locks ended that had a token or a lease: kept for a day, so that whoever comes too late is told.
CREATE TABLE ended_locks (
    id          TEXT    PRIMARY KEY,
    service     TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    resource    TEXT    NOT NULL,
    ended_at    INTEGER NOT NULL,
    ending      TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    token_hash  BLOB    NOT NULL,
    document    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ended_locks_by_time ON ended_locks (ended_at);
CREATE INDEX ended_locks_by_token ON ended_locks (token_hash) WHERE token_hash <> x'';
