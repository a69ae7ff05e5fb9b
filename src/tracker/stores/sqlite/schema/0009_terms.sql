-- The index also has values of other fields. It is rebuilt.

DROP TABLE event_words;

CREATE VIRTUAL TABLE event_words USING fts5 (
    title, message, terms, content = '', contentless_delete = 1, tokenize = 'ascii'
);

UPDATE words_indexed SET up_to = 0, made_with = '';

DELETE FROM words_outdated;

DROP TRIGGER words_of_updated;

CREATE TRIGGER words_of_updated AFTER UPDATE OF document ON events
WHEN new.number <= (SELECT up_to FROM words_indexed) AND CASE
    WHEN json_valid(old.document) AND json_valid(new.document) THEN
        old.document ->> '$.title' IS NOT new.document ->> '$.title'
        OR old.document ->> '$.attributes.message' IS NOT new.document ->> '$.attributes.message'
        OR (old.service, old.type, old.priority, old.status, old.environment)
            IS NOT (new.service, new.type, new.priority, new.status, new.environment)
        OR old.document ->> '$.attributes.owner' IS NOT new.document ->> '$.attributes.owner'
        OR old.document ->> '$.attributes.version' IS NOT new.document ->> '$.attributes.version'
        OR old.document -> '$.attributes.labels' IS NOT new.document -> '$.attributes.labels'
        OR old.document -> '$.attributes.stakeHolders' IS NOT new.document -> '$.attributes.stakeHolders'
        OR old.document -> '$.attributes.notifications' IS NOT new.document -> '$.attributes.notifications'
        OR old.document -> '$.links' IS NOT new.document -> '$.links'
    ELSE true
END
BEGIN
    INSERT OR IGNORE INTO words_outdated VALUES (new.number);
END;
