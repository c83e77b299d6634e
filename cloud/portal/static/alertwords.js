// Alert rules and their messages in plain words. Pure functions.
import { lengthWords } from "./searchparts.js";

export const COOLDOWNS_S = [0, 60, 300, 900, 3600, 86400];
export const DIGESTS_S = [0, 600, 3600, 86400];
export const PICTURES = [["blurred", "a small blurred one"], ["clear", "as the camera sent it"], ["none", "none"]];

const list = (names, word) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} ${word} ${names.at(-1)}` : names[0]);

/** What a rule tells of: "person or dog at front, in zone door". */
export function whatWords(rule, searches) {
  const attributes = Object.entries(rule.attributes).map(([slug, value]) => `${slug} ${value}`);
  const saved = searches.find((one) => one.id === rule.search);
  const parts = [
    rule.labels.length ? list(rule.labels, "or") : "anything",
    rule.cameras.length && `at ${list(rule.cameras, "or")}`,
    rule.zones.length && `in zone ${list(rule.zones, "or")}`,
    attributes.length && `with ${list(attributes, "and")}`,
    rule.least_score > 0 && `seen with at least ${Math.round(rule.least_score * 100)} %`,
    rule.search && `in a moment of the search “${saved?.name ?? "that is gone"}”`,
    rule.hours.length && `in ${list(rule.hours, "or")}`,
    rule.recordings && "also in scanned recordings",
  ];
  return parts.filter(Boolean).join(", ");
}

/** When a rule tells it: "at once, then silent for 1 min about the same camera and class". */
export function whenWords(rule) {
  const parts = [
    rule.digest_s > 0 ? `collected for ${lengthWords(rule.digest_s)}` : "at once",
    rule.digest_s === 0 && rule.cooldown_s > 0 && `then silent for ${lengthWords(rule.cooldown_s)} about the same camera and class`,
    rule.quiet.length && `not during ${list(rule.quiet, "and")} (told afterwards)`,
  ];
  return parts.filter(Boolean).join(", ");
}

/** "mailtos://…" as people call it. */
export function kindWords(address) {
  const scheme = address.split("://")[0];
  const kinds = { mailto: "e-mail", mailtos: "e-mail", ntfy: "ntfy", ntfys: "ntfy", json: "webhook", jsons: "webhook", hassio: "Home Assistant", hassios: "Home Assistant" };
  return kinds[scheme] ?? scheme;
}

/** Whether a message arrived: {tone, sign, words}. */
export function messageState({ state, attempts, due, error }, now) {
  if (state === "sent") return { tone: "good", sign: "✓", words: attempts > 1 ? `arrived at try ${attempts}` : "arrived" };
  if (state === "failed") return { tone: "bad", sign: "✕", words: `given up after ${attempts === 1 ? "1 try" : `${attempts} tries`}: ${error ?? "no reason was given"}` };
  const wait = Math.max(0, Math.round(due - now));
  if (!attempts) return { tone: "calm", sign: "…", words: wait > 1 ? `collects for another ${wait} s` : "is being sent" };
  return { tone: "warn", sign: "↻", words: `did not arrive (${error ?? "no answer yet"}); tried again in ${wait} s` };
}

const words = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);

/** The fields of a form for a rule; addresses that are kept stay masked. */
export const formOf = (rule) => ({
  ...rule,
  hours: rule.hours.join(", "),
  quiet: rule.quiet.join(", "),
  channels: rule.channels.map((address, i) => ({ key: `kept ${i}`, address: `kept://${i}`, shown: kindWords(address) })),
});

/** The rule that a form means. */
export const ruleOf = (form) => ({
  ...form,
  hours: words(form.hours),
  quiet: words(form.quiet),
  channels: form.channels.map((one) => one.address.trim()).filter(Boolean),
});

export const newForm = (timezone, search) => ({
  name: "", enabled: true, labels: [], cameras: [], zones: [], attributes: {}, search: search ?? null, recordings: false, least_score: 0, hours: "", quiet: "", timezone,
  cooldown_s: 60, digest_s: 0, picture: "blurred", channels: [{ key: "new 0", address: "", shown: null }],
});
