// Opens saved Automerge documents with the official JavaScript Automerge and prints what each holds, a line of canonical JSON each.
//
//     node open.mjs FILE…
//
// {"heads": […], "content": {…}, "conflicts": {"/path": [value, …]}}: names in ascending order, every concurrent value of a name in
// ascending order of its JSON, bytes as {"bytes": hex}, instants as {"timestamp": milliseconds}.

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import * as Automerge from "@automerge/automerge";

const byJson = (a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

function plain(value) {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("hex") };
  if (value instanceof Date) return { timestamp: value.getTime() };
  if (Array.isArray(value)) return value.map(plain);
  if (Automerge.isCounter(value)) return { counter: value.value };
  if (Automerge.isImmutableString(value)) return String(value);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((name) => [name, plain(value[name])]),
  );
}

function* conflicts(object, path = "") {
  if (object === null || typeof object !== "object" || object instanceof Uint8Array || object instanceof Date) return;
  if (Automerge.isImmutableString(object)) return;
  for (const name of Object.keys(object).sort()) {
    const here = `${path}/${name}`;
    const key = Array.isArray(object) ? Number(name) : name;
    const values = Object.values(Automerge.getConflicts(object, key) ?? {});
    if (values.length > 1) yield [here, values.map(plain).sort(byJson)];
    yield* conflicts(object[name], here);
  }
}

/** What a saved document holds. Throws if it is not a whole, valid document. */
export function describe(bytes) {
  const document = Automerge.load(bytes);
  return {
    heads: Automerge.getHeads(document).sort(),
    content: plain(document),
    conflicts: Object.fromEntries(conflicts(document)),
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const files = process.argv.slice(2);
  if (files.length === 0) {
    console.error("usage: node open.mjs FILE…");
    process.exit(2);
  }
  for (const file of files) console.log(JSON.stringify(describe(await readFile(file))));
}
