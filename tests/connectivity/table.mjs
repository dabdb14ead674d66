// The table of NAT × NAT: which pair of candidates won, and how long it took.
import { KINDS } from "./net.mjs";

export const SIDES = ["none", ...Object.keys(KINDS)];

export function table(cells) {
  if (cells.length === 0) return [];
  const lines = [];
  for (const kind of [...new Set(cells.map((cell) => cell.kind))]) {
    const of = cells.filter((cell) => cell.kind === kind);
    const columns = SIDES.filter((side) => of.some((cell) => cell.b === side));
    if (lines.length) lines.push("");
    lines.push(`| ${kind}, behind | ${columns.map((side) => `answerer: ${side}`).join(" | ")} |`);
    lines.push(`| --- |${" --- |".repeat(columns.length)}`);
    for (const a of SIDES) {
      const row = columns.map((b) => of.find((cell) => cell.a === a && cell.b === b));
      if (row.every((cell) => !cell)) continue;
      lines.push(`| ${a} | ${row.map((c) => (c ? `${c.pair}, ${c.ms} ms` : "")).join(" | ")} |`);
    }
  }
  return lines;
}
