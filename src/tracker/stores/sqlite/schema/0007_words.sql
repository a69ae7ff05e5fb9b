-- The words of titles and messages, for full-text search. Events are indexed after the transaction that changes them;
-- until then their documents are searched.

CREATE VIRTUAL TABLE event_words USING fts5 (
    title, message, content = '', contentless_delete = 1, tokenize = 'ascii'
);

-- Events up to this number are in the index; those in words_outdated have changed since, or were deleted. `made_with`
-- names the rules by which texts are split into words.
CREATE TABLE words_indexed (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    up_to      INTEGER NOT NULL,
    made_with  TEXT    NOT NULL
) STRICT;

INSERT INTO words_indexed VALUES (1, 0, '');

CREATE TABLE words_outdated (
    number INTEGER PRIMARY KEY
) STRICT;

-- The number of a deleted event may be used again.
CREATE TRIGGER words_of_created AFTER INSERT ON events WHEN new.number <= (SELECT up_to FROM words_indexed) BEGIN
    INSERT OR IGNORE INTO words_outdated VALUES (new.number);
END;

CREATE TRIGGER words_of_updated AFTER UPDATE OF document ON events
WHEN new.number <= (SELECT up_to FROM words_indexed) AND CASE
    WHEN json_valid(old.document) AND json_valid(new.document) THEN
        old.document ->> '$.title' IS NOT new.document ->> '$.title'
        OR old.document ->> '$.attributes.message' IS NOT new.document ->> '$.attributes.message'
    ELSE true
END
BEGIN
    INSERT OR IGNORE INTO words_outdated VALUES (new.number);
END;

CREATE TRIGGER words_of_deleted AFTER DELETE ON events WHEN old.number <= (SELECT up_to FROM words_indexed) BEGIN
    INSERT OR IGNORE INTO words_outdated VALUES (old.number);
END;
