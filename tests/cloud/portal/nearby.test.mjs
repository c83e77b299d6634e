// Cameras around a device: words, names, and a password that only the device can open.
import assert from "node:assert/strict";
import test from "node:test";
import { bodyFor, calledItself, commandFor, proposedName, streamWords } from "./static/nearbywords.js";
import { canSeal, seal } from "./static/sealing.js";

const CAMERA = { host: "192.168.1.20", service: "http://192.168.1.20/onvif/device_service", name: "Front door", model: "Acme Eye 5", channels: [] };
const { subtle } = globalThis.crypto;

test("a camera is called as it calls itself, or by its address", () => {
  assert.equal(calledItself(CAMERA), "Acme Eye 5 “Front door”");
  assert.equal(calledItself({ ...CAMERA, name: "", model: "" }), "Camera at 192.168.1.20");
});

test("what a camera did not tell of a stream is left out", () => {
  assert.equal(streamWords({ width_px: 640, height_px: 360, codec: "H264", fps: 15 }), "640 × 360 · H264 · 15 pictures/s");
  assert.equal(streamWords({ width_px: null, height_px: null, codec: null, fps: null }), "size unknown");
});

test("a name is proposed that can be part of an address and is still free", () => {
  assert.equal(proposedName(CAMERA, []), "front-door");
  assert.equal(proposedName(CAMERA, ["front-door", "front-door-2"]), "front-door-3");
  assert.equal(proposedName({ name: "カメラ", model: "" }, []), "camera");
});

test("a channel is a number, and a login is left out where there is none", () => {
  assert.deepEqual(bodyFor(CAMERA, { name: " yard ", channel: "2" }, null), { name: "yard", service: CAMERA.service, channel: 2 });
  assert.equal(commandFor(CAMERA, "yard"), "elfowl-agent discover --user USER --host 192.168.1.20 --add yard --config agent.yaml");
});

test("a password is closed for the device's key and for this camera only", async () => {
  assert.ok(canSeal());
  const device = await subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
  const text = (bytes) => Buffer.from(bytes).toString("base64");
  const sealed = await seal({ user: "adm", password: "p@ss/wörd" }, CAMERA.service, text(await subtle.exportKey("raw", device.publicKey)));
  assert.ok(!JSON.stringify(sealed).includes("adm"));
  const bytes = (part) => Buffer.from(part, "base64");
  const theirs = await subtle.importKey("raw", bytes(sealed.key), { name: "ECDH", namedCurve: "P-256" }, false, []);
  const shared = await subtle.deriveBits({ name: "ECDH", public: theirs }, device.privateKey, 256);
  const base = await subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  const key = await subtle.deriveKey({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: Buffer.from("elfowl camera login") }, base, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
  const open = (service) => subtle.decrypt({ name: "AES-GCM", iv: bytes(sealed.nonce), additionalData: Buffer.from(service) }, key, bytes(sealed.text));
  assert.equal(Buffer.from(await open(CAMERA.service)).toString(), JSON.stringify({ user: "adm", password: "p@ss/wörd" }));
  await assert.rejects(open("http://192.168.1.21/onvif/device_service"));
});
