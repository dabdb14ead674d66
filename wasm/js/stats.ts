// Statistics, read like a Map (W3C WebRTC, Section 8.4).
import { expose } from "./interface.js";

export interface RTCStats {
  id: string;
  type: string;
  timestamp: number;
  [member: string]: unknown;
}

/** Statistics by their ids. */
export class RTCStatsReport implements ReadonlyMap<string, RTCStats> {
  readonly #stats: Map<string, RTCStats>;
  declare [Symbol.iterator]: () => MapIterator<[string, RTCStats]>;

  /** @internal Made by `getStats`. */
  constructor(stats: Map<string, RTCStats>) {
    if (!(stats instanceof Map)) throw new TypeError("Illegal constructor");
    this.#stats = stats;
  }

  get size(): number { return this.#stats.size; }
  entries(): MapIterator<[string, RTCStats]> { return this.#stats.entries(); }
  keys(): MapIterator<string> { return this.#stats.keys(); }
  values(): MapIterator<RTCStats> { return this.#stats.values(); }
  get(id: string): RTCStats | undefined { return this.#stats.get(id); }
  has(id: string): boolean { return this.#stats.has(id); }

  forEach(call: (stats: RTCStats, id: string, report: RTCStatsReport) => void, thisArg: unknown = undefined): void {
    this.#stats.forEach((stats, id) => call.call(thisArg, stats, id, this));
  }
}
Object.defineProperty(RTCStatsReport.prototype, Symbol.iterator, {
  value: RTCStatsReport.prototype.entries, writable: true, configurable: true,
});
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
  const report = new Map<string, RTCStats>();
  for (const stats of JSON.parse(json) as RTCStats[]) {
    const der = stats.id === "CFL" ? local : stats.id === "CFR" ? remote : null;
    report.set(stats.id, { ...stats, ...(der?.length ? { base64Certificate: base64(der) } : {}), timestamp });
  }
  return new RTCStatsReport(report);
}
