-- How long events took, in microseconds. The indexes hold it, so scans of them need not read the documents.
-- JSON has it in seconds, with none, three, six or nine decimals: `660s`, `0.500s`.

ALTER TABLE events ADD COLUMN duration INTEGER GENERATED ALWAYS AS (
    CASE WHEN json_valid(document) THEN
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

DROP INDEX events_by_time;
CREATE INDEX events_by_time
    ON events (time, id, type, priority, status, environment, impact, service, source, duration);
DROP INDEX events_by_service;
CREATE INDEX events_by_service
    ON events (service, time, id, type, priority, status, environment, impact, source, duration);
