-- Which principal holds a lock, so that its locks can be counted.

ALTER TABLE locks ADD COLUMN owner TEXT GENERATED ALWAYS AS (
    CASE WHEN json_valid(document) THEN document ->> '$.owner' END
) VIRTUAL;

CREATE INDEX locks_by_owner ON locks (owner, expired) WHERE owner IS NOT NULL;
