-- The entries of long changelogs, numbered from 0 for each event, as JSON. An event whose document has `changelogTotal`
-- has all of its entries here; any other has them in its document.
CREATE TABLE changelog (
    event    TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    document TEXT    NOT NULL,
    PRIMARY KEY (event, number)
) STRICT;
