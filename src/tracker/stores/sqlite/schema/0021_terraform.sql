-- States of Terraform, with their versions in the document, and the compressed contents of these in parts.
CREATE TABLE terraform_states (
    id       TEXT PRIMARY KEY,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE terraform_parts (
    id      TEXT    PRIMARY KEY,
    state   TEXT    NOT NULL,
    content TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    data    BLOB    NOT NULL
) STRICT;

CREATE INDEX terraform_parts_of_content ON terraform_parts (content, id);
