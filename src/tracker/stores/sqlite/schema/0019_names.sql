-- The names that no two users, and no two teams, have. Of records that share one, the first keeps it.
ALTER TABLE access ADD COLUMN name TEXT;

CREATE UNIQUE INDEX access_by_name ON access (name) WHERE name IS NOT NULL;

UPDATE OR IGNORE access SET name = unique_name(document) WHERE id GLOB 'user:*' OR id GLOB 'team:*';
