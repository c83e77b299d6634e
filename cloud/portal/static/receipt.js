// What pages read out of a receipt. Pure functions.

/** The measurement of what the bundle carries. */
export const chosenForm = (receipt) => receipt.after.find((one) => one.form === receipt.chosen) ?? receipt.after[0];
