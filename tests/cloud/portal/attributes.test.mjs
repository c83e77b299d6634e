// Tests of what the page of attributes says; run by test_modules.py, which lays the modules beside this file.
import assert from "node:assert/strict";
import test from "node:test";
import { adviceOf, answersOf, changeOf, countWords, lostExamples, missingWords, nextAt, qualityWords, standing } from "./static/attributewords.js";

const NEEDS = { least: 3, good: 10 };
const values = (...counts) => counts.map((examples, i) => ({ name: ["diet", "regular", "cherry"][i], examples }));
const quality = (...confusion) => ({ confusion, examples: confusion.flat().reduce((sum, n) => sum + n, 0) });

test("a value says how many examples it has, and how many it needs", () => {
  assert.deepEqual([0, 2, 3, 9, 10].map((n) => countWords(n, NEEDS)), [
    "0 of at least 3, better 10", "2 of at least 3, better 10", "3 examples, better 10", "9 examples, better 10", "10 examples",
  ]);
});

test("what is missing is named by value, and nothing once there is enough", () => {
  assert.equal(missingWords(values(1, 3), NEEDS), "Put 2 more under diet; then it can be learned.");
  assert.equal(missingWords(values(1, 0, 2), NEEDS), "Put 2 more under diet, 3 more under regular and 1 more under cherry; then it can be learned.");
  assert.equal(missingWords(values(3, 4), NEEDS), "");
});

test("answers are counted from the table", () => {
  assert.deepEqual(answersOf(quality([8, 1, 1], [0, 7, 3])), { told: 16, right: 15, open: 4 });
});
test("what came out is one sentence", () => {
  const start = "Each of the 20 examples was left out in turn and asked about";
  assert.equal(qualityWords(quality([8, 1, 1], [0, 7, 3])), `${start}: 16 were answered, 15 of these rightly; 4 were left open.`);
  assert.equal(qualityWords(quality([10, 0, 0], [0, 9, 1])), `${start}: 19 were answered, all of these rightly; 1 was left open.`);
  assert.equal(qualityWords(quality([0, 0, 10], [0, 0, 10])), `${start}: none was answered.`);
});
test("what came out has a meaning, the worst first", () => {
  const words = (...confusion) => adviceOf(quality(...confusion), NEEDS).words;
  assert.match(words([1, 0, 9], [0, 1, 9]), /mostly says nothing/);
  assert.match(words([8, 2, 0], [2, 8, 0]), /errs too often/);
  assert.match(words([3, 0, 0], [0, 10, 0]), /From so few examples/);
  assert.match(words([10, 0, 0], [0, 10, 0]), /relied on/);
  assert.equal(adviceOf(quality([10, 0, 0], [0, 10, 0]), NEEDS).tone, "good");
});

test("an attribute stands where its examples and its last learning say", () => {
  const one = (more) => standing({ quality: null, is_current: false, ready: false, values: values(1, 0), ...more }).words;
  assert.equal(one({}), "1 example, needs more");
  assert.equal(one({ ready: true }), "ready to be learned");
  assert.equal(one({ quality: {}, ready: true }), "changed since it was learned");
  assert.equal(one({ quality: {}, is_current: true }), "learned");
});

test("only what was changed is asked for", () => {
  const before = { name: "kind", values: values(2, 5) };
  const rows = (...pairs) => pairs.map(([was, name]) => ({ was, name }));
  assert.equal(changeOf(before, " kind ", rows(["diet", "diet"], ["regular", "regular "])), null);
  assert.deepEqual(changeOf(before, "sort", rows(["diet", "light"], ["regular", "regular"])), { name: "sort", rename: { diet: "light" } });
  assert.deepEqual(changeOf(before, "kind", rows(["diet", "light"], [null, "cherry"])), { rename: { diet: "light" }, values: ["light", "cherry"] });
  assert.deepEqual(changeOf(before, "kind", rows(["diet", "diet"], ["regular", "regular"], [null, "x"])), { values: ["diet", "regular", "x"] });
  assert.deepEqual(changeOf(before, "kind", rows(["diet", "regular"], ["regular", "diet"])), { rename: { diet: "regular", regular: "diet" } });
});
test("examples of values that were left out are counted, those of renamed ones not", () => {
  assert.equal(lostExamples({ values: values(2, 5) }, [{ was: "diet", name: "light" }, { was: null, name: "regular" }]), 5);
});
test("after the last crop was put, the one before it is next", () => {
  assert.deepEqual([[3, 5], [5, 5], [0, 0]].map(([at, left]) => nextAt(at, left)), [3, 4, 0]);
});
