// States of devices and events in words and signs. Pure functions.
const PHASES = {
  download: "downloading",
  verify: "checking the signature",
  trial: "trying the new one",
  commit: "keeping the new one",
  rollback: "going back to the old one",
};

const install = (device) => {
  const wanted = device.desired.bundle;
  const { reported } = device;
  if (!wanted) return null;
  const name = `${wanted.detector_name} v${wanted.detector_version}`;
  // Not `converged`: that waits for every wish, a picture that was asked for too.
  if (reported?.installed?.sha256 === wanted.sha256) return { tone: "good", sign: "✓", words: `runs ${name}` };
  const failed = reported?.outcomes.findLast((one) => one.bundle_sha256 === wanted.sha256 && one.outcome === "failure");
  if (failed && reported.phase === "idle") return { tone: "bad", sign: "✕", words: `kept the old one: ${failed.reason ?? "the new one did not work"}` };
  if (reported && PHASES[reported.phase]) return { tone: "warn", sign: "↓", words: `${PHASES[reported.phase]}: ${name}` };
  return { tone: "warn", sign: "…", words: device.online ? `was told about ${name}` : `gets ${name} once it is back` };
};

/** What a device does about what is wanted of it, and else whether it is there: {tone, sign, words}. */
export function deviceState(device, { onlyInstall = false } = {}) {
  if (device.state === "revoked") return { tone: "bad", sign: "✕", words: "no longer trusted" };
  const installing = install(device);
  if (installing && (onlyInstall || installing.tone !== "good")) return installing;
  return connection(device);
}

/** Whether a device is there. */
export function connection(device) {
  if (device.online) return { tone: "good", sign: "●", words: "online" };
  if (device.last_seen == null) return { tone: "warn", sign: "○", words: "has joined, not heard of yet" };
  return { tone: "bad", sign: "○", words: "offline" };
}

const REASONS = {
  no_local_model: "the camera has no detector of its own yet",
  unsure: "the camera was unsure",
  hot: "the camera was too hot",
  behind: "the camera could not keep up",
  explicit: "the cloud was asked on purpose",
};

/** Who answered, and why not the camera itself. */
export const answeredBy = ({ answered_by: who, offload_reason: reason }) =>
  who === "cloud" ? { sign: "☁", words: "cloud", why: REASONS[reason] ?? "" } : { sign: "▣", words: "camera", why: "" };

export const detectorName = ({ name, version }) => `${name} v${version}`;

/** The same, and in which kind of numbers it reckons. */
export const detectorWords = ({ name, version, precision }) => `${name} v${version} · ${precision}`;

/** How people switched a camera, at home or here, in words. */
export function settingsWords({ detect, snapshots, offload, threshold }) {
  const words = [detect ? "looks" : "does not look", snapshots ? "shows pictures" : "shows no pictures", offload ? "may ask the cloud" : "asks nobody"];
  return threshold == null ? words.join(" · ") : `${words.join(" · ")} · tells from ${Math.round(threshold * 100)} %`;
}
