// Streams in words, without a browser.
import assert from "node:assert/strict";
import test from "node:test";
import { bodyOf, figuresWords, gapWords, standing } from "./static/streamwords.js";

test("stream that is watched needs no reason, another one gives it", () => {
  assert.deepEqual(standing({ state: "watched", reason: "pictures are coming" }), { tone: "good", sign: "●", words: "watched" });
  const refused = { state: "not watched", reason: "rtsp://x/: connection refused", address: "rtsp://x/" };
  assert.equal(standing(refused).words, "not watched: connection refused");
  assert.equal(standing({ state: "watched", reason: "pictures come, but they are black" }).words, "watched: pictures come, but they are black");
});

test("gap says from when until when, and how long that is", () => {
  const began = Date.UTC(2026, 10, 30, 12, 3, 10) / 1000;
  assert.match(gapWords({ began, ended: began + 14 }, began + 60), /–.*\(14 s\)$/);
  assert.match(gapWords({ began, ended: null }, began + 600), /– now \(10 min\)$/);
});

test("figures are told once there are any", () => {
  assert.equal(figuresWords({}), "");
  assert.equal(
    figuresWords({ fps: 4.96, pictures: 100, looked: 31, delay_p99_ms: 140.4 }),
    "5.0 pictures/s, looked at 31 % of them, 99 of 100 answers within 140 ms",
  );
  assert.match(figuresWords({ fps: 5, pictures: 1, looked: 1, delay_p99_ms: 10_610 }), /within 10\.6 s$/);
});

test("what is left open is left to the server", () => {
  const form = { name: " yard ", address: " rtsp://x ", detectors: ["det_1"], fps: "", threshold: "" };
  assert.deepEqual(bodyOf(form), { name: "yard", address: "rtsp://x", detectors: ["det_1"], settings: {} });
  assert.deepEqual(bodyOf({ ...form, fps: "2.5", threshold: "60" }).settings, { fps: 2.5, threshold: 0.6 });
});
