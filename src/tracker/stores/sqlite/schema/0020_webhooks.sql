-- Webhooks: `secrets` are what messages are signed with, as JSON.
CREATE TABLE webhooks (
    id       TEXT PRIMARY KEY,
    secrets  TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages of webhooks; times are microseconds since the epoch. `state` is 1 while one waits, until `next_at`.
CREATE TABLE webhook_deliveries (
    id           TEXT    PRIMARY KEY,
    webhook      TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    type         TEXT    NOT NULL,
    event        TEXT    NOT NULL,
    content_type TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    state        INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    last_status  INTEGER NOT NULL,
    last_error   TEXT    NOT NULL
) STRICT;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, next_at) WHERE state = 1;
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (webhook, created_at, id);
CREATE INDEX webhook_deliveries_old ON webhook_deliveries (created_at);
