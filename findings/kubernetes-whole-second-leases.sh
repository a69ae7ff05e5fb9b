#!/usr/bin/env bash
# kubernetes 37.0.2 and lightkube 1.0.1 (PyPI): one renewal of a lease in a million has a time that Kubernetes refuses.
#
# The times of a Lease (acquireTime, renewTime) and of an Event of events.k8s.io (eventTime) are a MicroTime, which the API
# server reads with exactly six digits of a second. Both clients write a datetime with Python's isoformat(), which has six
# digits, or none where the microseconds are zero: `12:00:00+00:00` is answered with 400, "cannot parse … as .000000". So does
# the leader election over leases that the first one now has, which reads both forms with care and writes either.
# No test meets that, as it takes a whole second to the microsecond. A leader that renews every ten seconds meets it once in
# four months, and of a hundred one does nearly every day: a renewal that fails for no reason, or an event that is lost.
# Hand over times that have a microsecond (`at.replace(microsecond=at.microsecond or 1)`).
#
# Output seen:
#   kubernetes: 2026-03-01T12:00:00.000001+00:00, a MicroTime
#   its leader election: 2026-03-01T12:00:00.000001+00:00, a MicroTime
#   lightkube: 2026-03-01T12:00:00.000001Z, a MicroTime
#   kubernetes: 2026-03-01T12:00:00.120000+00:00, a MicroTime
#   its leader election: 2026-03-01T12:00:00.120000+00:00, a MicroTime
#   lightkube: 2026-03-01T12:00:00.120000Z, a MicroTime
#   kubernetes: 2026-03-01T12:00:00+00:00, not a MicroTime
#   its leader election: 2026-03-01T12:00:00+00:00, not a MicroTime
#   lightkube: 2026-03-01T12:00:00Z, not a MicroTime
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check kubernetes==37.0.2 lightkube==1.0.1
cat >"$folder/renew.py" <<'PY'
import re
from datetime import UTC, datetime

from kubernetes import client
from kubernetes.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from lightkube.models.coordination_v1 import LeaseSpec
from lightkube.resources.coordination_v1 import Lease


def official(at):
    lease = client.V1Lease(spec=client.V1LeaseSpec(renew_time=at))
    return client.ApiClient().sanitize_for_serialization(lease)["spec"]["renewTime"]


def its_leader_election(at):
    record = LeaderElectionRecord("pod-1", "15", str(at), str(at))
    spec = LeaseLock("leader", "default", "pod-1").get_lease_spec(record)
    return client.ApiClient().sanitize_for_serialization(spec)["renewTime"]


def lightkube(at):
    return Lease(spec=LeaseSpec(renewTime=at)).to_dict()["spec"]["renewTime"]


WRITERS = (("kubernetes", official), ("its leader election", its_leader_election), ("lightkube", lightkube))
MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[-+]\d\d:\d\d)")
for microsecond in (1, 120_000, 0):
    at = datetime(2026, 3, 1, 12, 0, 0, microsecond, tzinfo=UTC)
    for name, write in WRITERS:
        text = write(at)
        print(f"{name}: {text}, {'a' if MICRO_TIME.fullmatch(text) else 'not a'} MicroTime")
PY
"$folder/venv/bin/python" "$folder/renew.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
kubernetes: 2026-03-01T12:00:00.000001+00:00, a MicroTime
its leader election: 2026-03-01T12:00:00.000001+00:00, a MicroTime
lightkube: 2026-03-01T12:00:00.000001Z, a MicroTime
kubernetes: 2026-03-01T12:00:00.120000+00:00, a MicroTime
its leader election: 2026-03-01T12:00:00.120000+00:00, a MicroTime
lightkube: 2026-03-01T12:00:00.120000Z, a MicroTime
kubernetes: 2026-03-01T12:00:00+00:00, not a MicroTime
its leader election: 2026-03-01T12:00:00+00:00, not a MicroTime
lightkube: 2026-03-01T12:00:00Z, not a MicroTime
SEEN
echo "as described"
