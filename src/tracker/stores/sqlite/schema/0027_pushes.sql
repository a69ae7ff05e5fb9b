-- The push that brought each commit: its newest commit, the one before it, and whether the commit is a merge.
ALTER TABLE commits ADD COLUMN head TEXT NOT NULL DEFAULT '';
ALTER TABLE commits ADD COLUMN base TEXT NOT NULL DEFAULT '';
ALTER TABLE commits ADD COLUMN "merge" INTEGER NOT NULL DEFAULT 0;
CREATE INDEX commits_by_head ON commits (head) WHERE head != '';
