// Tests of the pure browser modules of searching.
import assert from "node:assert/strict";
import { test } from "node:test";
import { changeAttribute, changeRelation, cutAt, dayOf, lengthWords, stripOf, withOwn } from "./static/searchparts.js";

const thing = (label) => ({ label, camera: null, zone: null, attributes: [], above_score: null });
const alone = { first: thing("person"), relation: null, second: null, within_s: null, within_percent: null };

test("a relation that is chosen brings a second thing, and leaves with what belongs to it", () => {
  const near = changeRelation(alone, "near", "dog");
  assert.equal(near.second.label, "dog");
  const far = { ...near, within_s: 5, within_percent: 10 };
  assert.deepEqual([changeRelation(far, "then", "cat").second.label, changeRelation(far, "then", "cat").within_percent], ["dog", null]);
  assert.equal(changeRelation(far, "with", "cat").within_s, null);
  assert.deepEqual(changeRelation(far, "", "cat"), alone);
});

test("an attribute that is chosen replaces its value and goes with none", () => {
  const red = changeAttribute(alone, "first", "coat", "red");
  const blue = changeAttribute(red, "first", "coat", "blue");
  assert.deepEqual(blue.first.attributes, [["coat", "blue"]]);
  assert.deepEqual(changeAttribute(blue, "first", "coat", "").first.attributes, []);
});

test("lengths are told in their largest unit", () => {
  assert.deepEqual([5, 90, 120, 3600, 172800].map(lengthWords), ["5 s", "90 s", "2 min", "1 h", "2 d"]);
});

test("a value of one's own stands among the options in order", () => {
  assert.deepEqual(withOwn([5, 10], 7), [5, 7, 10]);
  assert.deepEqual(withOwn([5, 10], null), [5, 10]);
});

test("a part of the day needs two clock times that differ", () => {
  assert.deepEqual(dayOf("22:00", "06:30"), { begin_min: 1320, end_min: 390 });
  for (const [from, until] of [["22:00", ""], ["", ""], ["08:00", "08:00"]]) assert.equal(dayOf(from, until), null);
});

test("a strip shows who was there when, as shares of the whole", () => {
  const events = [{ label: "a", start: 100, end: 110 }, { label: "b", start: 105, end: 120 }];
  assert.deepEqual(stripOf({ at: 105, start: 105, end: 110, events }), {
    at: 0.25,
    bars: [{ label: "a", from: 0, to: 0.5 }, { label: "b", from: 0.25, to: 1 }],
  });
});

test("a text is cut at its mistake, also behind its end", () => {
  assert.deepEqual(cutAt("person naer dog", 8), { before: "person ", wrong: "naer", after: " dog" });
  assert.equal(cutAt("person near", 12).before, "person near");
  assert.notEqual(cutAt("person near", 12).wrong, "");
});
