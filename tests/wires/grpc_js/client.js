// Makes calls as a client of another language, and prints what became of each as one JSON document.
// Arguments: the server's address, and a file with the descriptors of its services.

import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";

const [address, descriptors] = process.argv.slice(2);
const loaded = loadFileDescriptorSetFromBuffer(readFileSync(descriptors), { enums: String, longs: String });
const { EventService } = grpc.loadPackageDefinition(loaded).tracker.event.v1alpha1;
const GZIP = { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip };
const soon = () => ({ deadline: Date.now() + 10_000 });

const plain = new EventService(address, grpc.credentials.createInsecure());
const compressing = new EventService(address, grpc.credentials.createInsecure(), GZIP);

function metadataOf(metadata) {
  const values = Object.entries(metadata.getMap());
  return Object.fromEntries(values.map(([name, value]) => [name, value.toString("base64")]));
}

function get(id, { client = plain, options = soon(), headers = {}, begun = () => {} } = {}) {
  return new Promise((resolve) => {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    let event = null;
    const call = client.getEvent({ id }, metadata, options, (_error, answer) => {
      event = answer?.event ?? null;
    });
    call.on("status", ({ code, details, metadata }) =>
      resolve({ code, details, event, metadata: metadataOf(metadata) }),
    );
    begun(call);
  });
}

function watch(messages) {
  return new Promise((resolve) => {
    const titles = [];
    const call = plain.watchEvents({}, soon());
    call.on("data", ({ event }) => {
      titles.push(event.title);
      if (titles.length === messages) call.cancel();
    });
    call.on("error", ({ code }) => resolve({ code, titles }));
    call.on("end", () => {});
  });
}

const results = {
  unary: await get("found", { headers: { "x-request-id": "build-7" } }),
  gzip: await get("found".padEnd(150, "!"), { client: compressing }),
  large: (await get("large")).event.title.length,
  refused: await get("refused"),
  late: await get("held", { options: { deadline: Date.now() + 300 } }),
  cancelled: await get("held", { begun: (call) => setTimeout(() => call.cancel(), 300) }),
  together: (await Promise.all(Array.from({ length: 50 }, () => get("found")))).map(({ code }) => code),
  watched: await watch(3),
};
console.log(JSON.stringify(results));
plain.close();
compressing.close();
