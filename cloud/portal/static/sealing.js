// A camera's password, closed so that only the device can read it: neither the server nor its database can.
// How is said at `SealedLogin` in the wire reference. Browsers do this over https and on this machine only.

const INFO = new TextEncoder().encode("elfowl camera login");
const CURVE = { name: "ECDH", namedCurve: "P-256" };

const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const toBytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));

/** Whether this page may do it. */
export const canSeal = () => Boolean(globalThis.crypto?.subtle);

/** Close a login {user, password} for the device with a public key, for one camera's service address. */
export async function seal(login, service, deviceKey) {
  const { subtle } = globalThis.crypto;
  const theirs = await subtle.importKey("raw", toBytes(deviceKey), CURVE, false, []);
  const own = await subtle.generateKey(CURVE, false, ["deriveBits"]);
  const shared = await subtle.deriveBits({ name: "ECDH", public: theirs }, own.privateKey, 256);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(32), info: INFO };
  const key = await subtle.deriveKey(hkdf, await subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]), { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  const nonce = globalThis.crypto.getRandomValues(new Uint8Array(12));
  const plain = new TextEncoder().encode(JSON.stringify(login));
  const closed = await subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData: new TextEncoder().encode(service) }, key, plain);
  return { key: toText(await subtle.exportKey("raw", own.publicKey)), nonce: toText(nonce), text: toText(closed) };
}
