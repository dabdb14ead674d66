// Serves the page, and takes its offers to one device. The device needs to know
// nothing of other sites' pages (CORS) for that, and its PIN passes through.
//   server.mjs http://picortc-xxxx.local/ [--http 127.0.0.1:8090]
import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";
import { serveOffers } from "../offers.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true, options: { http: { type: "string", default: "127.0.0.1:8090" } },
});
if (positionals.length !== 1 || !URL.canParse(positionals[0])) {
  console.error("whose readings? server.mjs http://picortc-xxxx.local/ [--http HOST:PORT]");
  process.exit(2);
}
const device = new URL(positionals[0]);
const PASSED = ["x-peer", "x-host"];

async function forward(request, offer) {
  const headers = { "content-type": "application/sdp" };
  for (const name of ["authorization", "x-peer"]) if (request.headers[name]) headers[name] = request.headers[name];
  // A device serves few connections at a time and turns others away.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fetch(new URL("/offer", device), { method: "POST", headers, body: offer, signal: AbortSignal.timeout(15_000) });
    } catch (error) {
      if (attempt === 5) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300 * attempt));
    }
  }
}

serveOffers(options.http, {
  page: async () => (await readFile(new URL("index.html", import.meta.url), "utf8")).replace("DEVICE", device.host),
  async answer(request, offer) {
    try {
      const answer = await forward(request, offer);
      const more = Object.fromEntries(PASSED.filter((name) => answer.headers.has(name)).map((name) => [name, answer.headers.get(name)]));
      return [answer.status, answer.headers.get("content-type") ?? "text/plain", await answer.text(), more];
    } catch {
      return [502, "text/plain", `${device.host} does not answer. Is it on, and on this network?\n`];
    }
  },
  listening: (url) => console.log(`${url} shows ${device.host}`),
});
