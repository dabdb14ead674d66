// A room: a Durable Object that is a WebRTC peer of each of its members. All of
// them share one TURN allocation, over one TCP connection.
import { connect } from "cloudflare:sockets";
import { DurableObject } from "cloudflare:workers";
import { RTCPeerConnection, Relay } from "picortc";
import { Room as Members } from "../../relay-common/room.js";

export class Room extends DurableObject {
  #members = new Members((request) => this.#connection(request));
  #relay = null;

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith("/stats")) return Response.json({ ...this.#members.stats(), dropped: (await this.#relay)?.dropped ?? 0 });
    if (pathname.endsWith("/offer")) return this.#members.offer(request);
    // What an eviction or a deployment does, for those who want to see it.
    if (request.method !== "POST") return new Response("POST it\n", { status: 405, headers: { allow: "POST" } });
    this.ctx.abort("restarted on request");
    return new Response();
  }

  async #connection(request) {
    const relay = await this.#open();
    // A browser may hide its addresses: where the request came from is one.
    const from = request.headers.get("cf-connecting-ip");
    if (from) relay.permit(from);
    // A modest window: coturn drops what exceeds 32 KiB in its queue to us.
    return new RTCPeerConnection({}, {
      transport: relay.transport, limits: "server", receiveBuffer: 28 * 1024, sendBuffer: 256 * 1024, maxMessageSize: 16 * 1024,
    });
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
        this.#members.clear();
      });
      return relay;
    })();
    this.#relay.catch(() => {
      this.#relay = null;
    });
    return this.#relay;
  }
}
