// Signalling between a tab and the example, both ways round, with the changes
// to descriptions that cases ask for made on the way.
import { createServer } from "node:http";

const OTHER = { client: "passive", server: "active" };

// Who is DTLS client is the answerer's choice (RFC 8842); an offer that says
// less than actpass leaves it none. `role` is the browser's.
export function forceRole(offer, role, offerer) {
  const offered = offerer === "browser" ? { client: "active", server: "passive" }[role] : OTHER[role];
  return offer.replace(/a=setup:actpass/g, `a=setup:${offered}`);
}

export function forgeFingerprint(sdp) {
  return sdp.replace(/(a=fingerprint:\S+ )([0-9A-Fa-f])/g, (_, head, digit) => head + (digit === "0" ? "1" : "0"));
}

export const ufrag = (sdp) => /a=ice-ufrag:(\S+)/.exec(sdp)?.[1];

export class SignalError extends Error {
  constructor(status, words) {
    super(`POST /offer: ${status} ${words.trim()}`);
    this.status = status;
  }
}

// Posts an offer; returns the answer and the peer's name.
export async function post(url, sdp, peer) {
  const headers = { "content-type": "application/sdp" };
  if (peer) headers["x-peer"] = peer;
  const response = await fetch(new URL("/offer", url), { method: "POST", headers, body: sdp });
  const body = await response.text();
  if (!response.ok) throw new SignalError(response.status, body);
  return { answer: body, peer: response.headers.get("x-peer") ?? peer };
}

// Serves the rig's page, and takes the offers that the example posts: each to
// its own path, answered by whoever waits for it.
export class Relay {
  #waiting = new Map();
  #next = 1;

  static async start(files) {
    const relay = new Relay();
    relay.server = createServer((request, response) => relay.#serve(request, response, files));
    await new Promise((resolve) => relay.server.listen(0, "0.0.0.0", resolve));
    relay.port = relay.server.address().port;
    // A secure context, so that the page has crypto.subtle.
    relay.pageUrl = `http://127.0.0.1:${relay.port}/`;
    return relay;
  }

  // A path to offer to; `take` gets the offer and its headers, and returns the answer.
  path(take) {
    const path = `/take/${this.#next++}`;
    this.#waiting.set(path, take);
    return `http://127.0.0.1:${this.port}${path}`;
  }

  async #serve(request, response, files) {
    const file = files[request.url];
    if (file) return response.writeHead(200, { "content-type": file.type }).end(file.body);
    const take = this.#waiting.get(request.url);
    if (!take || request.method !== "POST") return response.writeHead(404).end("not here\n");
    this.#waiting.delete(request.url);
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    try {
      const answer = await take(Buffer.concat(pieces).toString(), request.headers);
      response.writeHead(200, { "content-type": "application/sdp" }).end(answer);
    } catch (error) {
      response.writeHead(500, { "content-type": "text/plain" }).end(`${error.message}\n`);
    }
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
