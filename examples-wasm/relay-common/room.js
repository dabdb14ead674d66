// A room behind HTTP: POST …/offer is answered with an answer, GET …/stats
// tells who is there. What runs it makes the connections.
import { Hub } from "./hub.js";

/** No session description is longer. */
const MAX_OFFER = 64 * 1024;
const MAX_MEMBERS = 64;
/** No room has another name. */
export const NAME = /^[\w-]{1,64}$/;

export class Room {
  #hub = new Hub();
  #connection;
  // Members that are being answered have their places already.
  #joining = 0;

  /** `connection` makes an `RTCPeerConnection` for the member that sent a request. */
  constructor(connection) {
    this.#connection = connection;
  }

  get isEmpty() {
    return this.#hub.size + this.#joining === 0;
  }

  stats() {
    return this.#hub.stats();
  }

  async offer(request) {
    if (request.method !== "POST") return new Response("POST an offer\n", { status: 405, headers: { allow: "POST" } });
    if (this.#hub.size + this.#joining >= MAX_MEMBERS) return new Response("the room is full\n", { status: 503 });
    this.#joining += 1;
    try {
      const offer = await textOf(request, MAX_OFFER);
      if (offer === null) return new Response("the offer is too long\n", { status: 413 });
      return new Response(await this.#answer(request, offer), { status: 201, headers: { "content-type": "application/sdp" } });
    } catch (error) {
      return new Response(`${error.message}\n`, { status: error.name === "NetworkError" ? 502 : 400 });
    } finally {
      this.#joining -= 1;
    }
  }

  async #answer(request, offer) {
    const pc = await this.#connection(request);
    try {
      await pc.setRemoteDescription({ type: "offer", sdp: offer });
      await pc.setLocalDescription();
      if (pc.iceGatheringState !== "complete") {
        await new Promise((resolve) => {
          pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
        });
      }
    } catch (error) {
      pc.close();
      throw error;
    }
    this.#hub.add(pc);
    return pc.localDescription.sdp;
  }

  /** Lets all members go; they join again. */
  clear() {
    this.#hub.clear();
  }
}

// The body as text; null when it is longer, which is not read to its end.
async function textOf(request, most) {
  const pieces = [];
  let length = 0;
  for await (const piece of request.body ?? []) {
    length += piece.length;
    if (length > most) return null;
    pieces.push(piece);
  }
  return new Blob(pieces).text();
}
