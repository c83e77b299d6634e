// Where each detector stands, and what to do next. Pure functions.

const isUnderWay = (job) => job != null && ["queued", "running"].includes(job.state);

/** {tone, sign, words} of a detector on its way from examples to a camera. */
export function stateOf({ versions, counts, job }) {
  if (isUnderWay(job)) return { tone: "", sign: "◔", words: job.kind === "train" ? "Training" : "Shrinking" };
  if (versions.length) return { tone: "good", sign: "✓", words: "Trained" };
  if (counts.labelled_frames) return { tone: "warn", sign: "✎", words: "Ready to train" };
  return { tone: "", sign: "○", words: counts.media ? "Needs boxes" : "Needs pictures" };
}

/** The one thing to do next, over all detectors and cameras: {title, words, button, href}. */
export function nextStep(detectors, devices) {
  const page = (detector, part) => `/detectors/${detector.id}${part}`;
  const empty = detectors.find((one) => !one.versions.length && !one.counts.labelled_frames);
  const untrained = detectors.find((one) => !one.versions.length && one.counts.labelled_frames > 0);
  const trained = detectors.find((one) => one.versions.length);
  const served = devices.some((device) => device.reported?.installed);
  if (untrained) {
    return { title: `Train “${untrained.name}”`, words: "Its examples are ready. Training takes under a minute.", button: "Train", href: page(untrained, "#train") };
  }
  if (empty && !trained) {
    return { title: `Show “${empty.name}” what to look for`, words: "Draw boxes on a few frames; eight are a good start.", button: "Draw boxes", href: page(empty, "#teach") };
  }
  if (!devices.length) {
    return { title: "Add a camera", words: "One command on the camera, and it runs what you taught.", button: "Add a camera", href: "/devices" };
  }
  if (trained && !served) {
    return { title: `Put “${trained.name}” on a camera`, words: "Shrink it for your device, sign it, send it.", button: "Shrink and send", href: page(trained, "#shrink") };
  }
  return { title: "Look at what the cameras saw", words: "Mark what is right and wrong; each mark makes the next version better.", button: "Open events", href: "/events" };
}
