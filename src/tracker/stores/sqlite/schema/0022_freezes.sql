-- Freeze windows: `starts_at` is when each first begins, in microseconds since the epoch.
CREATE TABLE freezes (
    id        TEXT    NOT NULL PRIMARY KEY,
    starts_at INTEGER NOT NULL,
    document  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
