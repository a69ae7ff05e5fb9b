-- The answers to calls with an idempotency key, each written in the transaction of its change.
CREATE TABLE idempotency_keys (
    key     TEXT    PRIMARY KEY,
    request BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    answer  BLOB    NOT NULL
) STRICT;

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (at);
