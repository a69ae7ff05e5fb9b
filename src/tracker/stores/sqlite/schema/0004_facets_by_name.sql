-- Events of a period are counted by service and source too, without touching the documents.

DROP INDEX events_by_time;
CREATE INDEX events_by_time
    ON events (time, id, type, priority, status, environment, impact, service, source);
