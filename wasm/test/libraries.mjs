// Libraries that people use on top of WebRTC, as npm has them: simple-peer with
// its option `wrtc`, and peerjs with its server (npm `peer`). Two runtimes with
// each other, and each with Chromium, which has its own WebRTC.
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { PeerServer } from "peer";
import { launch } from "../../tests/browsers/browser.mjs";
import { Program } from "./processes.mjs";
import { Report, freePort } from "./report.mjs";
import { RUNTIMES } from "./runtimes.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const report = new Report("libraries");

// The page: the same cases, and the libraries for browsers.
const script = buildSync({
  stdin: {
    contents: `import * as cases from "./library-cases.mjs"; import SimplePeer from "simple-peer/simplepeer.min.js"; import { Peer } from "peerjs";
      globalThis.run = (name, given) => cases[name]({ Library: { simplePeer: SimplePeer, peerJs: Peer }[name], ...given });`,
    resolveDir: here,
  },
  bundle: true, format: "iife", platform: "browser", write: false, logLevel: "error",
}).outputFiles[0].text;

// Letters for the two ends, each handed out once and in order.
const boxes = new Map();
const box = (name) => boxes.get(name) ?? boxes.set(name, { letters: [], waiting: [] }).get(name);
const server = createServer(async (request, response) => {
  if (!request.url.startsWith("/mail/")) {
    const isScript = request.url === "/script.js";
    response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html; charset=utf-8" });
    return response.end(isScript ? script : '<!doctype html><meta charset="utf-8"><script src="/script.js"></script>');
  }
  const { letters, waiting } = box(request.url);
  if (request.method === "GET") waiting.push(response);
  else {
    let letter = "";
    for await (const piece of request.setEncoding("utf8")) letter += piece;
    letters.push(letter);
    response.end();
  }
  while (letters.length > 0 && waiting.length > 0) waiting.shift().end(letters.shift());
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const base = `http://127.0.0.1:${server.address().port}/`;
const port = await freePort("127.0.0.1");
const signalling = await new Promise((resolve) => PeerServer({ port, host: "127.0.0.1", path: "/" }, resolve));

const chromium = await launch("chromium", "default");
const programs = [];
let runs = 0;

async function end(where, name, isFirst, run) {
  const given = { isFirst, run, base, port };
  if (where === "chromium") {
    const page = await chromium.page();
    await page.goto(base);
    const saw = await page.evaluate((name, given) => run(name, given), name, given);
    await page.close();
    return saw;
  }
  const [command, ...args] = RUNTIMES[where]();
  // Deno asks for what peerjs and simple-peer read of the environment.
  if (where === "deno") args.push("--allow-env", "--allow-read");
  const program = new Program(command, [...args, `${here}library-peer.mjs`, name, JSON.stringify(given)], { cwd: here });
  programs.push(program);
  const { saw, error } = await program.wait((line) => (line.saw || line.error) && line, name, 90_000);
  if (error) throw new Error(`${where}: ${error}`);
  return saw;
}

try {
  for (const name of ["simplePeer", "peerJs"]) {
    for (const [first, second] of [["node", "deno"], ["node", "chromium"], ["chromium", "deno"]]) {
      await report.check(`${name}, ${first} and ${second}`, async () => {
        runs += 1;
        const [saw] = await Promise.all([end(first, name, true, runs), end(second, name, false, runs)]);
        return saw;
      });
    }
  }
} finally {
  await chromium.close();
  await Promise.all(programs.map((program) => program.stop()));
  server.close();
  signalling.close?.();
  report.end();
}
