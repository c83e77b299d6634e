// What a receipt shows at a glance.
import assert from "node:assert/strict";
import test from "node:test";
import { barsOf, chosenForm } from "./static/receipt.js";
import { aOrAn } from "./static/words.js";

const BEFORE = { bytes: 8_000_000, ms_p50: 200, peak_memory_bytes: null, ap50: 0.9 };
const SMALL = { form: "litert_int8", bytes: 2_000_000, ms_p50: 100, peak_memory_bytes: 1, ap50: 0.45 };

test("bars show what both have: the greater one is whole, accuracy is of one", () => {
  assert.deepEqual(barsOf(BEFORE, SMALL), [
    { words: "Size of the network", bars: [{ words: "8.0 MB", share: 1 }, { words: "2.0 MB", share: 0.25 }] },
    { words: "Time for a picture", bars: [{ words: "200 ms", share: 1 }, { words: "100 ms", share: 0.5 }] },
    { words: "Accuracy (1.00: without a mistake)", bars: [{ words: "0.900", share: 0.9 }, { words: "0.450", share: 0.45 }] },
  ]);
  assert.deepEqual(barsOf({ bytes: 0 }, { bytes: 0 })[0].bars[0], { words: "0 kB", share: 0 });
});

test("the form of the bundle is the chosen one, else the first", () => {
  const other = { form: "onnx_int8" };
  assert.equal(chosenForm({ chosen: "litert_int8", after: [other, SMALL] }), SMALL);
  assert.equal(chosenForm({ chosen: "gone", after: [other, SMALL] }), other);
});

test("a role has its article", () => {
  assert.deepEqual(["owner", "viewer"].map(aOrAn), ["an", "a"]);
});
