// Numbers and times in words. Pure functions.

const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const timeOnly = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export const when = (seconds) => (seconds == null ? "never" : dayAndTime.format(new Date(seconds * 1000)));
export const clockTime = (seconds) => timeOnly.format(new Date(seconds * 1000));
export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
export const aOrAn = (word) => (/^[aeiou]/i.test(word) ? "an" : "a");
export const percent = (share) => (share == null ? "–" : `${Math.round(share * 100)}\u00a0%`);
export const ap50 = (value) => (value == null ? "not measured" : value.toFixed(2));
export const ACCURACY_MEANS = "Accuracy tells how well things are found in pictures that were not learned from: 1.00 is without a mistake, 0.00 finds nothing. Experts call it AP50.";
export const kilobytes = (bytes) => (bytes == null ? "–" : bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
export const milliseconds = (value) => (value == null ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);
export const duration = (seconds) => (seconds < 90 ? `about ${Math.max(1, Math.ceil(seconds))} s` : `about ${Math.ceil(seconds / 60)} min`);

const MEASURED = {
  cross_validation: (n) => `${plural(n, "taught picture")}, each left out in turn: an estimate`,
  held_out: (n) => `${plural(n, "picture")} kept back while learning`,
  test: (n) => plural(n, "test picture"),
};

/** On which pictures a version was measured; an estimate is never called a test. */
export const measuredOn = ({ images, how }) => (images ? (MEASURED[how] ?? MEASURED.test)(images) : "nothing yet");

/** What a job measures on its way: "loss 0.41 · accuracy 0.83"; "" when it tells nothing. */
export const figureWords = (figures) =>
  Object.entries(figures ?? {}).map(([name, value]) => `${name === "ap50" ? "accuracy" : name} ${value.toFixed(2)}`).join(" · ");

/** How long ago a moment was; `now` in seconds since 1970. */
export function ago(seconds, now = Date.now() / 1000) {
  if (seconds == null) return "never";
  const age = Math.max(0, now - seconds);
  if (age < 90) return `${Math.round(age)} s ago`;
  if (age < 5400) return `${Math.round(age / 60)} min ago`;
  return age < 129600 ? `${Math.round(age / 3600)} h ago` : `${Math.round(age / 86400)} days ago`;
}
