// Statistics as a Map (W3C WebRTC, Section 8.4).

export interface RTCStats {
  id: string;
  type: string;
  timestamp: number;
  [member: string]: unknown;
}

/** Statistics by their ids. */
export class RTCStatsReport extends Map<string, RTCStats> {}

/** Makes a report of the core's JSON. */
export function statsReport(json: string): RTCStatsReport {
  const timestamp = performance.timeOrigin + performance.now();
  const report = new RTCStatsReport();
  for (const stats of JSON.parse(json) as RTCStats[]) {
    report.set(stats.id, { ...stats, timestamp });
  }
  return report;
}
