-- Locks with leases, fencing tokens, and tokens that make repeating a call safe.

-- Every key that was ever locked, its last fencing token, and the lock that holds it now.
CREATE TABLE lock_keys (
    service       TEXT    NOT NULL,
    environment   TEXT    NOT NULL,
    resource      TEXT    NOT NULL,
    fencing_token INTEGER NOT NULL,
    lock_id       TEXT,
    PRIMARY KEY (service, environment, resource)
) STRICT, WITHOUT ROWID;

INSERT INTO lock_keys SELECT service, environment, resource, 0, id FROM locks;

-- The table of keys guarantees one lock a key. Acquiring and releasing a lock still changes two pages, one in each
-- table. Durations are microseconds, 0 for none.
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

-- How locks with a token or a lease ended. Rows are kept for a day, to answer callers that come too late.
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
