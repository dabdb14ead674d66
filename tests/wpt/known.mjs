// Failures that are known, with the reason: [file, test, reason]. They are
// counted as failures all the same.
export const KNOWN = [];
