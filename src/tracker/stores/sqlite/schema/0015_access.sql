-- Records of access control: `changed_at` is microseconds since the epoch, `secret_hash` the SHA-256 of a token.
CREATE TABLE access (
    id          TEXT    PRIMARY KEY,
    changed_at  INTEGER NOT NULL,
    secret_hash BLOB    NOT NULL,
    document    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
