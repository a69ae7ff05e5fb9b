-- How long events took by themselves, and the time since the event that each links to, in microseconds. JSON has both as
-- seconds, with none, three, six or nine decimals: `660s`, `0.500s`. Events that are stored already get
-- `metadata.elapsed` now.

DROP INDEX events_by_time;
DROP INDEX events_by_service;
ALTER TABLE events DROP COLUMN duration;

-- What an event without a link took is its duration, unless that was counted up to a later moment than its end date.
UPDATE events SET document = CASE
    WHEN json_valid(document)
        AND ifnull(related_id, '') = ''
        AND document ->> '$.metadata.duration' IS NOT NULL
        AND (end_time IS NULL OR document ->> '$.attributes.startDate' IS NOT NULL)
    THEN json_set(document, '$.metadata.elapsed', document ->> '$.metadata.duration')
    ELSE with_elapsed(document)
END WHERE end_time IS NOT NULL OR status IN (2, 3, 5, 10, 11); -- failure, success, error, close, done

ALTER TABLE events ADD COLUMN elapsed INTEGER GENERATED ALWAYS AS (
    CASE WHEN json_valid(document) THEN
        CAST(document ->> '$.metadata.elapsed' AS INTEGER) * 1000000
        + CASE instr(document ->> '$.metadata.elapsed', '.')
            WHEN 0 THEN 0
            ELSE CAST(substr(
                rtrim(document ->> '$.metadata.elapsed', 's') || '000000',
                instr(document ->> '$.metadata.elapsed', '.') + 1,
                6
            ) AS INTEGER)
        END
    END
) VIRTUAL;

ALTER TABLE events ADD COLUMN gap INTEGER GENERATED ALWAYS AS (
    CASE WHEN related_id <> '' THEN
        CAST(document ->> '$.metadata.duration' AS INTEGER) * 1000000
        + CASE instr(document ->> '$.metadata.duration', '.')
            WHEN 0 THEN 0
            ELSE CAST(substr(
                rtrim(document ->> '$.metadata.duration', 's') || '000000',
                instr(document ->> '$.metadata.duration', '.') + 1,
                6
            ) AS INTEGER)
        END
    END
) VIRTUAL;

CREATE INDEX events_by_time
    ON events (time, id, type, priority, status, environment, impact, service, source, elapsed, gap);
CREATE INDEX events_by_service
    ON events (service, time, id, type, priority, status, environment, impact, source, elapsed, gap);
