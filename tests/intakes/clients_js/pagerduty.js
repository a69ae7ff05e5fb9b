// Opens and closes an incident and records a change by PagerDuty's client. Arguments: host and port, and an API key.

import pdjs from "@pagerduty/pdjs";

const [server, routing_key] = process.argv.slice(2);
const payload = { summary: "Disk is full", source: "db-1", severity: "critical", component: "postgres" };
const opened = await pdjs.trigger({ server, data: { routing_key, dedup_key: "disk", payload } });
const closed = await pdjs.resolve({ server, data: { routing_key, dedup_key: opened.data.dedup_key } });
const change = { summary: "Deployed", source: "ci", custom_details: { service: "cart", type: "deployment" } };
const changed = await pdjs.change({ server, data: { routing_key, payload: change } });
console.log(JSON.stringify([opened, closed, changed].map((each) => each.response.status)));
