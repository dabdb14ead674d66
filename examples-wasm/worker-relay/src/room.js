// A room: a Durable Object that is a WebRTC peer of each of its members. All of
// them share one TURN allocation, over one TCP connection.
import { connect } from "cloudflare:sockets";
import { DurableObject } from "cloudflare:workers";
import { RTCPeerConnection, Relay } from "picortc";
import { Hub } from "./hub.js";

/** No session description is longer. */
const MAX_OFFER = 64 * 1024;
const MAX_MEMBERS = 64;

export class Room extends DurableObject {
  #hub = new Hub();
  #relay = null;

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith("/stats")) return Response.json({ ...this.#hub.stats(), dropped: (await this.#relay)?.dropped ?? 0 });
    if (request.method !== "POST") return new Response("POST an offer\n", { status: 405 });
    // What an eviction or a deployment does, for those who want to see it.
    if (pathname.endsWith("/restart")) {
      this.ctx.abort("restarted on request");
      return new Response();
    }
    const offer = await request.text();
    if (offer.length > MAX_OFFER) return new Response("the offer is too long\n", { status: 413 });
    if (this.#hub.size >= MAX_MEMBERS) return new Response("the room is full\n", { status: 503 });
    try {
      const relay = await this.#open();
      // A browser may hide its addresses: where the request came from is one.
      const from = request.headers.get("cf-connecting-ip");
      if (from) relay.permit(from);
      return new Response(await this.#answer(relay, offer), { status: 201, headers: { "content-type": "application/sdp" } });
    } catch (error) {
      return new Response(`${error.message}\n`, { status: error.name === "NetworkError" ? 502 : 400 });
    }
  }

  // One allocation for the life of the room; another one when it is lost.
  #open() {
    this.#relay ??= (async () => {
      const relay = await Relay.open({
        stream: connect(this.env.TURN_SERVER),
        username: this.env.TURN_USERNAME,
        credential: this.env.TURN_CREDENTIAL,
      });
      relay.closed.then((why) => {
        console.log(`the relay is gone: ${why}`);
        this.#relay = null;
        this.#hub.clear();
      });
      return relay;
    })();
    this.#relay.catch(() => {
      this.#relay = null;
    });
    return this.#relay;
  }

  async #answer(relay, offer) {
    // A modest window: coturn drops what exceeds 32 KiB in its queue to us.
    const pc = new RTCPeerConnection({}, {
      transport: relay.transport, limits: "server", receiveBuffer: 28 * 1024, sendBuffer: 256 * 1024, maxMessageSize: 16 * 1024,
    });
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
}
