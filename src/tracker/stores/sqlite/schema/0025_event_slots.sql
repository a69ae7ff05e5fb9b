-- A version for each slot of 2^36 microseconds, some 19 hours, which rises with each change of what its events are
-- counted by: whoever remembers counts of a slot knows whether they still hold.
CREATE TABLE event_slots (
    slot    INTEGER PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT;

INSERT INTO event_slots SELECT DISTINCT time >> 36, 1 FROM events INDEXED BY events_by_time;

CREATE TRIGGER slot_of_created AFTER INSERT ON events BEGIN
    INSERT INTO event_slots VALUES (new.time >> 36, 1) ON CONFLICT DO UPDATE SET version = version + 1;
END;

CREATE TRIGGER slots_of_changed AFTER UPDATE OF time, service, type, priority, status, environment, impact ON events
WHEN (old.time, old.service, old.type, old.priority, old.status, old.environment, old.impact)
    <> (new.time, new.service, new.type, new.priority, new.status, new.environment, new.impact)
BEGIN
    UPDATE event_slots SET version = version + 1 WHERE slot = old.time >> 36;
    INSERT INTO event_slots VALUES (new.time >> 36, 1) ON CONFLICT DO UPDATE SET version = version + 1;
END;

CREATE TRIGGER slot_of_deleted AFTER DELETE ON events BEGIN
    UPDATE event_slots SET version = version + 1 WHERE slot = old.time >> 36;
END;
