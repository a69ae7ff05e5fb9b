-- What became of the messages of each sender; times are microseconds since the epoch, 0 for none.
CREATE TABLE intakes (
    sender     TEXT    PRIMARY KEY,
    seen_at    INTEGER NOT NULL,
    recorded   INTEGER NOT NULL,
    ignored    INTEGER NOT NULL,
    refused    INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    skew       INTEGER,
    problem_at INTEGER NOT NULL,
    problem    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages that recorded nothing, without their secrets; `captures` and `headers` are JSON.
CREATE TABLE intake_messages (
    id          TEXT    PRIMARY KEY,
    sender      TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    outcome     INTEGER NOT NULL,
    reason      TEXT    NOT NULL,
    path        TEXT    NOT NULL,
    captures    TEXT    NOT NULL,
    headers     TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    body_bytes  INTEGER NOT NULL,
    replayed_at INTEGER NOT NULL
) STRICT;

CREATE INDEX intake_messages_by_sender ON intake_messages (sender, received_at, id, body_bytes);
CREATE INDEX intake_messages_by_time ON intake_messages (received_at, id);

-- Commits of pushes, by which the age of what is deployed is known.
CREATE TABLE commits (
    repository   TEXT    NOT NULL,
    sha          TEXT    NOT NULL,
    committed_at INTEGER NOT NULL,
    service      TEXT    NOT NULL,
    PRIMARY KEY (repository, sha)
) STRICT, WITHOUT ROWID;

CREATE INDEX commits_by_sha ON commits (sha);
CREATE INDEX commits_by_time ON commits (committed_at);
