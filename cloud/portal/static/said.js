// What people said about events, in words, and what happens next. Pure functions.

const VERDICTS = {
  right: { tone: "good", sign: "✓", words: "right" },
  wrong: { tone: "bad", sign: "✕", words: "wrong" },
  other_class: { tone: "warn", sign: "↔", words: "other class" },
  missed: { tone: "warn", sign: "+", words: "missed" },
};

const STUCK = new Set(["no_detector", "no_picture", "withdrawn"]);

/** A correction in words: {tone, sign, words}. */
export const verdictWords = (correction) => VERDICTS[correction.verdict];

/** What was said about this event: its own verdict, and objects missed at its moment. */
export function saidAbout(event, corrections) {
  const own = corrections.find((one) => one.correction.event_id === event.id) ?? null;
  const times = [event.start_time, event.frame_time];
  const missed = corrections.filter(({ correction }) => correction.verdict === "missed" && correction.device === event.device && correction.camera === event.camera
    && correction.time >= Math.min(...times) - 0.001 && correction.time <= (event.end_time ?? Math.max(...times)) + 0.001);
  return { own, missed };
}

/** What happens next with a correction, in words. */
export function nextWords({ correction, key_frame: hasFrame, standing, meaning }) {
  if (STUCK.has(standing)) return `This correction ${meaning}.`;
  if (!hasFrame) {
    const then = correction.verdict === "missed" ? "draw a box around what was missed" : "it becomes an example for the next version";
    return `The camera was asked for the clear frame of that moment. Once it is here, ${then}.`;
  }
  if (correction.verdict === "missed" && !correction.box) return "The clear frame has come: draw a box around what was missed.";
  return "The clear frame has come; it is now an example for the next version.";
}
