import assert from "node:assert/strict";
import { test } from "node:test";
import * as Automerge from "@automerge/automerge";
import { describe } from "./open.mjs";

test("both values of a conflict are shown, and names in order", () => {
  const start = Automerge.from({ water: "unknown", note: "水窖", items: { b: { n: 1 } } }, { actor: "aa" });
  const one = Automerge.change(Automerge.clone(start, { actor: "bb" }), (d) => {
    d.water = "tap";
    d.items.a = { n: 2 };
  });
  const two = Automerge.change(Automerge.clone(start, { actor: "cc" }), (d) => {
    d.water = "well";
    Automerge.splice(d, ["note"], 2, 0, "已修");
  });
  const merged = Automerge.merge(one, two);
  const { content, conflicts, heads } = describe(Automerge.save(merged));
  assert.deepEqual(conflicts, { "/water": ["tap", "well"] });
  assert.equal(content.note, "水窖已修");
  assert.deepEqual(Object.keys(content.items), ["a", "b"]);
  assert.equal(heads.length, 2);
});

test("bytes and instants keep their kind", () => {
  const document = Automerge.from({ photo: new Uint8Array([1, 255]), at: new Date(86_400_000) });
  assert.deepEqual(describe(Automerge.save(document)).content, { at: { timestamp: 86_400_000 }, photo: { bytes: "01ff" } });
});

test("a damaged document is not opened", () => {
  const bytes = Automerge.save(Automerge.from({ note: "走访" }));
  assert.throws(() => describe(bytes.slice(0, -1)));
});
