// Tests of the pure browser modules of alerts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { formOf, messageState, newForm, ruleOf, whatWords, whenWords } from "./static/alertwords.js";

const rule = { ...ruleOf(newForm("UTC", null)), channels: ["ntfys://…", "json://…"] };

test("a rule is told in plain words", () => {
  assert.equal(whatWords(rule, []), "anything");
  const much = { ...rule, labels: ["cat", "dog"], cameras: ["porch/front"], zones: ["door"], attributes: { coat: "red" }, least_score: 0.7, search: "sea_1", hours: ["08:00-18:00"] };
  assert.equal(whatWords(much, [{ id: "sea_1", name: "visit" }]), "cat or dog, at porch/front, in zone door, with coat red, seen with at least 70 %, in a moment of the search “visit”, in 08:00-18:00");
  assert.equal(whenWords(rule), "at once, then silent for 1 min about the same camera and class");
  assert.equal(whenWords({ ...rule, digest_s: 3600, quiet: ["22:00-06:00"] }), "collected for 1 h, not during 22:00-06:00 (told afterwards)");
});

test("a form keeps the addresses that it does not know", () => {
  const form = formOf({ ...rule, quiet: ["22:00-06:00", "sat 00:00-24:00"] });
  assert.deepEqual(form.channels.map((one) => one.shown), ["ntfy", "webhook"]);
  form.channels.push({ key: "new", address: " json://b/ ", shown: null });
  const back = ruleOf(form);
  assert.deepEqual(back.channels, ["kept://0", "kept://1", "json://b/"]);
  assert.deepEqual(back.quiet, ["22:00-06:00", "sat 00:00-24:00"]);
});

test("each state of a message has its words", () => {
  const message = { state: "sent", attempts: 1, due: 100, error: null };
  assert.equal(messageState(message, 90).words, "arrived");
  assert.equal(messageState({ ...message, attempts: 3 }, 90).words, "arrived at try 3");
  assert.equal(messageState({ ...message, state: "waiting", attempts: 0 }, 90).words, "collects for another 10 s");
  assert.equal(messageState({ ...message, state: "waiting", attempts: 2, error: "500" }, 90).words, "did not arrive (500); tried again in 10 s");
  assert.equal(messageState({ ...message, state: "failed", attempts: 1 }, 90).words, "given up after 1 try: no reason was given");
});
