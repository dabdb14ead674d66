// Serves a page, and takes the offers that it posts: what the examples with a
// signalling server of their own have in common.
import { createServer } from "node:http";

const MAX_OFFER = 64 * 1024;

/**
 * Listens at `HOST:PORT`. `GET /` answers with what `page()` gives, and
 * `POST /offer` with what `answer(request, offer)` does: `[status, type, body,
 * headers]`. Gives the URL of the page to `listening`.
 */
export function serveOffers(address, { page, answer, listening }) {
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  if (!host) throw new Error(`--http wants HOST:PORT, not ${address}`);
  const server = createServer(async (request, response) => {
    const end = (status, type, body, more = {}) => response.writeHead(status, { "content-type": type, ...more }).end(body);
    if (request.url === "/" && request.method === "GET") return end(200, "text/html", await page());
    if (request.url !== "/offer") return end(404, "text/plain", "not found\n");
    if (request.method !== "POST") return end(405, "text/plain", "POST an offer\n");
    let offer = "";
    request.setEncoding("utf8");
    for await (const piece of request) {
      offer += piece;
      if (offer.length > MAX_OFFER) return end(413, "text/plain", "the offer is too long\n");
    }
    end(...await answer(request, offer));
  });
  server.listen(Number(port), host, () => listening(`http://${host.includes(":") ? `[${host}]` : host}:${server.address().port}/`));
}
