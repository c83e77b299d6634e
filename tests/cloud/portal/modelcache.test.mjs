// What the model cache tells, in words: a pure module, run by Node.
import assert from "node:assert/strict";
import { test } from "node:test";
import { foundWords, heldWords, tierState } from "./static/modelwords.js";

test("a tier that was not asked says so, and not that nothing was found", () => {
  assert.equal(foundWords({ hits: 0, misses: 0 }), "not asked yet");
  assert.equal(foundWords({ hits: 3, misses: 1 }), "3 of 4 (75\u00a0%)");
});

test("what a tier holds is told with its bound, and of the store that it holds all", () => {
  assert.equal(heldWords({ models: 2, used_bytes: 97_000, budget_bytes: 10_000_000_000 }), "2, 97 kB of 10.0 GB");
  assert.equal(heldWords({ models: 0, used_bytes: 0, budget_bytes: 0 }), "all");
});

test("damage weighs more than a failed load, and a healthy tier says so in words", () => {
  assert.equal(tierState({ tier: "disk", corrupt: 1, failures: 5 }).words, "1 damaged, fetched again");
  assert.equal(tierState({ tier: "store", corrupt: 2, failures: 0 }).words, "2 damaged");
  assert.equal(tierState({ tier: "ram", corrupt: 0, failures: 1 }).words, "1 load failed");
  assert.deepEqual(tierState({ tier: "ram", corrupt: 0, failures: 0 }), { tone: "good", sign: "✓", words: "no fault" });
});
