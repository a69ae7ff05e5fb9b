// Sends an event and a metric of DogStatsD by hot-shots. Argument: the port.

import { StatsD } from "hot-shots";

const client = new StatsD({ host: "127.0.0.1", port: Number(process.argv[2]), globalTags: { env: "prod", service: "cart" } });
client.increment("page.views");
client.event("Déployé 🚀 | v1", "line1\nline2", { alert_type: "success", aggregation_key: "ak" }, ["service:shop"], () =>
  client.close(),
);
