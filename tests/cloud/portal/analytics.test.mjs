// Tests of the pure browser modules of analytics.
import assert from "node:assert/strict";
import { test } from "node:test";
import { beginOf, filterQuery, halfWords, searchOf, stacked, stayWords, stepOf, table, timeOf, timeline } from "./static/figures.js";

const of = (day, label, events) => ({ key: { day, label }, events });

test("a time line has no holes and begins with the most frequent label", () => {
  const { times, series } = timeline([of("2027-01-15", "dog", 1), of("2027-01-18", "person", 2), of("2027-01-18", "dog", 3)], "day");
  assert.deepEqual(times, ["2027-01-15", "2027-01-16", "2027-01-17", "2027-01-18"].map(beginOf));
  assert.deepEqual(series, [{ label: "dog", events: [1, 0, 0, 3] }, { label: "person", events: [0, 0, 0, 2] }]);
  assert.deepEqual(timeline([], "day"), { times: [], series: [], end: 0 });
});

test("a time line covers all that was asked for, and the whole of its last day", () => {
  const day = (n) => beginOf(`2027-01-${n}`);
  const { times, series, end } = timeline([of("2027-01-16", "dog", 4)], "day", [day(15) + 5000, day(18) + 60]);
  assert.deepEqual(times, [15, 16, 17, 18].map(day));
  assert.deepEqual(series, [{ label: "dog", events: [0, 4, 0, 0] }]);
  assert.equal(end, day(19));
  assert.deepEqual(timeOf("", 99), []);
});

test("hours are read with the distance of their zone from UTC", () => {
  assert.equal(beginOf("2027-01-15T08:00+0100") * 1000, Date.UTC(2027, 0, 15, 7));
});

test("series stand on top of each other, the highest sums first", () => {
  assert.deepEqual(stacked([{ events: [1, 2] }, { events: [3, 0] }]), [[4, 2], [1, 2]]);
});

test("a table adds up what falls into one cell", () => {
  const found = table([of("a", "dog", 1), of("a", "dog", 2), of("b", "person", 5)], (key) => key.day, "label");
  assert.deepEqual([found.rows, found.columns, found.most], [["a", "b"], ["dog", "person"], 5]);
  assert.deepEqual([found.cell("a", "dog"), found.cell("b", "dog")], [3, 0]);
});

test("times are told in words", () => {
  assert.deepEqual([4.25, 47, 200, 7260].map(stayWords), ["4.3 s", "47 s", "3 min 20 s", "2 h 1 min"]);
  assert.deepEqual([{ half_over: 0, half_up_to: 2 }, { half_over: 30, half_up_to: 60 }, { half_over: 3600, half_up_to: null }].map(halfWords), ["up to 2 s", "30 s to 1 min", "over 1 h"]);
  assert.deepEqual(["", "86400", "604800"].map(stepOf), ["day", "hour", "day"]);
});

test("a pair of labels becomes a search, quoted where it has to be", () => {
  assert.equal(searchOf(["fire truck", "dog"], "604800"), '"fire truck" with dog since 7d');
  assert.equal(searchOf(["cat", "dog"], ""), "cat with dog");
});

test("only what is chosen is asked for", () => {
  const query = filterQuery({ period: "60", camera: "front", device: "", label: undefined }, 100.7, [["by", "day"]]);
  assert.equal(String(query), "since=40&camera=front&by=day");
});
