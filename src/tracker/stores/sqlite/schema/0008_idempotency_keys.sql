-- What was answered to calls that had an idempotency key, written with the change that they asked for.
CREATE TABLE idempotency_keys (
    key     TEXT    PRIMARY KEY,
    request BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    answer  BLOB    NOT NULL
) STRICT;

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (at);
