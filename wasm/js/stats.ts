// Statistics as a Map (W3C WebRTC, Section 8.4).
import { expose } from "./interface.js";

export interface RTCStats {
  id: string;
  type: string;
  timestamp: number;
  [member: string]: unknown;
}

/** Statistics by their ids. */
export class RTCStatsReport extends Map<string, RTCStats> {}
expose(RTCStatsReport, "RTCStatsReport", 0);

/** What the core tells: its JSON, and the certificates of both ends in DER. */
export interface Told {
  json: string;
  local: Uint8Array;
  remote: Uint8Array;
}

const base64 = (octets: Uint8Array) => btoa(String.fromCharCode(...octets));

/** Makes a report of it. */
export function statsReport({ json, local, remote }: Told): RTCStatsReport {
  const timestamp = performance.timeOrigin + performance.now();
  const report = new RTCStatsReport();
  for (const stats of JSON.parse(json) as RTCStats[]) {
    const der = stats.id === "CFL" ? local : stats.id === "CFR" ? remote : null;
    report.set(stats.id, { ...stats, ...(der?.length ? { base64Certificate: base64(der) } : {}), timestamp });
  }
  return report;
}
