// What a camera that has joined still needs, in Node.
import assert from "node:assert/strict";
import test from "node:test";
import { cloudOf, configOf } from "./static/joining.js";

test("the address of the cloud is the one of the command", () => {
  assert.equal(cloudOf("elfowl-agent enrol --cloud http://192.168.1.2:8420 --token abc"), "http://192.168.1.2:8420");
  assert.equal(cloudOf("something else"), "");
});

test("the config names the camera as it joined, as text also where it is a number", () => {
  const lines = configOf({ name: "0123", profile: "pi-4" }, "http://192.168.1.2:8420").split("\n");
  assert.deepEqual(lines.slice(0, 2), ['device: "0123"', 'profile: "pi-4"']);
  assert.ok(lines.includes('  url: "http://192.168.1.2:8420"'));
});
