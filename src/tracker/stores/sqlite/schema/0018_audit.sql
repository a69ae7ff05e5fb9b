-- The audit log (tracker/audit/chain.py): each entry has the hash over itself and the entry before it. `log` and
-- `position` are those of the last change that has an entry. Personal values are in `content` alone.
CREATE TABLE audit (
    number     INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    record     TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    record_id  TEXT    NOT NULL,
    log        TEXT    NOT NULL,
    position   INTEGER NOT NULL,
    content    TEXT    NOT NULL,
    salt       BLOB    NOT NULL,
    commitment TEXT    NOT NULL,
    hash       TEXT    NOT NULL
) STRICT;

CREATE INDEX audit_by_id ON audit (record_id) WHERE record_id <> '';
CREATE INDEX audit_of_settings ON audit (record) WHERE record = 'settings';
