-- The number of events for each combination of values, now also by service.

DROP TRIGGER facets_of_created;
DROP TRIGGER facets_of_changed;
DROP TRIGGER facets_of_deleted;
DROP TABLE facets;

CREATE TABLE facets (
    service     TEXT    NOT NULL,
    type        INTEGER NOT NULL,
    priority    INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    impact      INTEGER NOT NULL,
    events      INTEGER NOT NULL,
    PRIMARY KEY (service, type, priority, status, environment, impact)
) STRICT, WITHOUT ROWID;

INSERT INTO facets
    SELECT service, type, priority, status, environment, impact, count(*) FROM events INDEXED BY events_by_service
    GROUP BY service, type, priority, status, environment, impact;

CREATE TRIGGER facets_of_created AFTER INSERT ON events BEGIN
    INSERT INTO facets
        VALUES (new.service, new.type, new.priority, new.status, new.environment, new.impact, 1)
        ON CONFLICT DO UPDATE SET events = events + 1;
END;

CREATE TRIGGER facets_of_changed AFTER UPDATE OF service, type, priority, status, environment, impact ON events
WHEN (old.service, old.type, old.priority, old.status, old.environment, old.impact)
    <> (new.service, new.type, new.priority, new.status, new.environment, new.impact)
BEGIN
    UPDATE facets SET events = events - 1
        WHERE (service, type, priority, status, environment, impact)
            = (old.service, old.type, old.priority, old.status, old.environment, old.impact);
    DELETE FROM facets
        WHERE (service, type, priority, status, environment, impact, events)
            = (old.service, old.type, old.priority, old.status, old.environment, old.impact, 0);
    INSERT INTO facets
        VALUES (new.service, new.type, new.priority, new.status, new.environment, new.impact, 1)
        ON CONFLICT DO UPDATE SET events = events + 1;
END;

CREATE TRIGGER facets_of_deleted AFTER DELETE ON events BEGIN
    UPDATE facets SET events = events - 1
        WHERE (service, type, priority, status, environment, impact)
            = (old.service, old.type, old.priority, old.status, old.environment, old.impact);
    DELETE FROM facets
        WHERE (service, type, priority, status, environment, impact, events)
            = (old.service, old.type, old.priority, old.status, old.environment, old.impact, 0);
END;
