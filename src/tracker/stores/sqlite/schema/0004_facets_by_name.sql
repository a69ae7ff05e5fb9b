-- Events of a period are also counted by service and source without reading the documents.

DROP INDEX events_by_time;
CREATE INDEX events_by_time
    ON events (time, id, type, priority, status, environment, impact, service, source);
