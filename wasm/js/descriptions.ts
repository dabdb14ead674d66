// Session descriptions and candidates as the W3C's interface has them.
import { expose } from "./interface.js";

export type RTCSdpType = "offer" | "pranswer" | "answer" | "rollback";
const SDP_TYPES: readonly string[] = ["offer", "pranswer", "answer", "rollback"];

export interface RTCSessionDescriptionInit {
  type: RTCSdpType;
  sdp?: string;
}

export interface RTCLocalSessionDescriptionInit {
  type?: RTCSdpType;
  sdp?: string;
}

export function checkSdpType(type: unknown): RTCSdpType {
  const text = String(type);
  if (!SDP_TYPES.includes(text)) throw new TypeError(`"${text}" is not one of ${SDP_TYPES.join(", ")}`);
  return text as RTCSdpType;
}

/** A session description (W3C WebRTC, Section 4.6.2). */
export class RTCSessionDescription {
  readonly #type: RTCSdpType;
  readonly #sdp: string;

  constructor(init: RTCSessionDescriptionInit) {
    if (init === undefined || init === null || typeof init !== "object" || init.type === undefined) {
      throw new TypeError("RTCSessionDescription: type is required");
    }
    this.#type = checkSdpType(init.type);
    this.#sdp = init.sdp === undefined ? "" : String(init.sdp);
  }

  get type(): RTCSdpType {
    return this.#type;
  }

  get sdp(): string {
    return this.#sdp;
  }

  toJSON(): { type: RTCSdpType; sdp: string } {
    return { type: this.#type, sdp: this.#sdp };
  }
}
expose(RTCSessionDescription, "RTCSessionDescription");
