-- Retention policies, and legal holds, each by name.
CREATE TABLE retention_policies (
    id       TEXT NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE legal_holds (
    id       TEXT NOT NULL PRIMARY KEY,
    name     TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The server merges the parts of the index of words itself, some pages at a time.
INSERT INTO event_words (event_words, rank) VALUES ('automerge', 0);
