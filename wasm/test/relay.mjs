// The worker-relay example end to end: coturn, workerd (through miniflare) and
// headless browsers in one room.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { Miniflare } from "miniflare";
import { launch } from "../../tests/browsers/browser.mjs";
import { Program } from "./processes.mjs";
import { Report, freePort, ownAddress as own } from "./report.mjs";

const example = fileURLToPath(new URL("../../examples-wasm/worker-relay/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "picortc-relay-"));
const MIB = 1 << 20;

const report = new Report("relay");

async function turnServer() {
  const port = await freePort("127.0.0.1");
  writeFileSync(join(folder, "turn.conf"), [
    "listening-ip=127.0.0.1", `listening-port=${port}`, `relay-ip=${own}`, "lt-cred-mech", "user=picortc:picortc", "realm=test",
    "no-tls", "no-dtls", "no-cli", "allow-loopback-peers", `userdb=${folder}/turndb`, `pidfile=${folder}/turn.pid`, "log-file=stdout", "simple-log",
  ].join("\n"));
  const program = new Program("turnserver", ["-c", join(folder, "turn.conf")], { cwd: folder });
  await program.wait((line) => /listener opened on.*TCP|TCP.*listener opened/i.test(line.text ?? ""), "coturn", 15_000).catch(() => {});
  return { program, address: `127.0.0.1:${port}` };
}

function worker(turn) {
  buildSync({
    entryPoints: [join(example, "src/index.js")], bundle: true, format: "esm", conditions: ["workerd"],
    external: ["cloudflare:*"], loader: { ".wasm": "copy" }, outdir: join(folder, "bundle"), logLevel: "error",
    nodePaths: [fileURLToPath(new URL("node_modules", import.meta.url))],
  });
  return new Miniflare({
    modules: true, modulesRoot: join(folder, "bundle"), scriptPath: join(folder, "bundle/index.js"),
    modulesRules: [{ type: "CompiledWasm", include: ["**/*.wasm"] }],
    compatibilityDate: "2026-04-01",
    durableObjects: { ROOMS: { className: "Room", useSQLite: true } },
    bindings: { TURN_SERVER: turn, TURN_USERNAME: "picortc", TURN_CREDENTIAL: "picortc" },
  });
}

// The page from the example's folder, and the Worker behind it, of one origin.
async function site(worker) {
  const server = createServer(async (request, response) => {
    if (!request.url.startsWith("/rooms/")) {
      const file = request.url === "/" ? "index.html" : "member.js";
      return response.writeHead(200, { "content-type": file.endsWith("js") ? "text/javascript" : "text/html" })
        .end(request.url === "/blank" ? "<!doctype html>" : readFileSync(join(example, "public", file)));
    }
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    try {
      const answer = await fetch(new URL(request.url, worker), { method: request.method, ...(pieces.length ? { body: Buffer.concat(pieces) } : {}) });
      response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
    } catch (error) {
      response.writeHead(502).end(String(error));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const browsers = {};
async function member(browser, base, room, topics) {
  browsers[browser] ??= await launch(browser, "plain");
  const page = await browsers[browser].page();
  await page.goto(`${base}blank`);
  await page.evaluate(async (room, topics) => {
    const { Member } = await import("/member.js");
    globalThis.said = [];
    globalThis.joined = 0;
    globalThis.member = new Member(room, topics);
    member.addEventListener("joined", () => { joined += 1; });
    for (const type of ["joined", "lost", "trouble"]) member.addEventListener(type, ({ detail }) => said.push(`${type} ${detail ?? ""}`));
    globalThis.until = (holds, what, ms = 60000) => new Promise((resolve, reject) => {
      const from = performance.now();
      const timer = setInterval(() => {
        if (holds()) resolve(performance.now() - from);
        else if (performance.now() - from < ms) return;
        else reject(new Error(`${what} not within ${ms / 1000} s: ${said.slice(-6).join("; ")}`));
        clearInterval(timer);
      }, 20);
    });
    await until(() => joined > 0, "joining");
  }, room, topics);
  return page;
}

const receive = (page, total) => page.evaluate(async (total) => {
  const pieces = [];
  let got = 0;
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`${got} of ${total} octets came: ${said.slice(-6).join("; ")}`)), 150_000);
    member.addEventListener("message", ({ detail }) => {
      if (detail.topic !== "bulk") return;
      pieces.push(detail.data);
      got += detail.data.byteLength;
      if (got >= total) resolve();
    });
  });
  const digest = await crypto.subtle.digest("SHA-256", await new Blob(pieces).arrayBuffer());
  return [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}, total);

const send = (page, total) => page.evaluate(async (total) => {
  const octets = new Uint8Array(total);
  for (let i = 0; i < total; i += 65536) crypto.getRandomValues(octets.subarray(i, Math.min(total, i + 65536)));
  const channel = member.channel("bulk");
  channel.bufferedAmountLowThreshold = 65536;
  for (let i = 0; i < total; i += 16384) {
    if (channel.bufferedAmount > 262144) await new Promise((resolve) => { channel.onbufferedamountlow = resolve; });
    channel.send(octets.subarray(i, i + 16384));
  }
  const digest = await crypto.subtle.digest("SHA-256", octets);
  return [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, "0")).join("");
}, total);

const turn = await turnServer();
const miniflare = worker(turn.address);
const server = await site(await miniflare.ready);
const base = `http://127.0.0.1:${server.address().port}/`;
let chromium, firefox, third;
try {
  await report.check("two browsers join", async () => {
    chromium = await member("chromium", base, "room", ["bulk", "chat"]);
    firefox = await member("firefox", base, "room", ["bulk", "chat"]);
    const stats = await (await fetch(`${base}rooms/room/stats`)).json();
    if (stats.members !== 2) throw new Error(`${stats.members} members`);
    return "over one allocation of coturn";
  });
  for (const [name, from, to] of [["Chromium to Firefox", () => chromium, () => firefox], ["Firefox to Chromium", () => firefox, () => chromium]]) {
    await report.check(`16 MiB from ${name}`, async () => {
      const got = receive(to(), 16 * MIB);
      got.catch(() => {});
      const sent = await send(from(), 16 * MIB);
      if ((await got) !== sent) throw new Error("the digests differ");
      const { dropped } = await (await fetch(`${base}rooms/room/stats`)).json();
      return `sha256 ${sent.slice(0, 12)}… at both ends, ${dropped} datagrams dropped by the relay`;
    });
  }
  await report.check("the Durable Object is restarted", async () => {
    await fetch(`${base}rooms/room/restart`, { method: "POST" });
    const took = await Promise.all([chromium, firefox].map((page) => page.evaluate(() => until(() => joined > 1, "joining again"))));
    return `both are back after ${took.map((ms) => `${(ms / 1000).toFixed(1)} s`).join(" and ")}, without a reload`;
  });
  await report.check("one browser is killed", async () => {
    third = await member("firefox", base, "room", ["chat"]);
    await third.evaluate(() => {
      globalThis.heard = 0;
      member.addEventListener("message", () => { heard += 1; });
    });
    await browsers.chromium.kill();
    delete browsers.chromium;
    await firefox.evaluate(() => {
      for (let i = 0; i < 100; i++) member.channel("chat").send(`line ${i}`);
    });
    await third.evaluate(() => until(() => heard === 100, "100 lines"));
    const gone = async () => (await (await fetch(`${base}rooms/room/stats`)).json()).members;
    const until = Date.now() + 60_000;
    while ((await gone()) > 2) {
      if (Date.now() > until) throw new Error("the dead member is still counted");
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    return "the others go on, the dead one is let go";
  });
} finally {
  await Promise.allSettled(Object.values(browsers).map((browser) => browser.close()));
  server.close();
  await turn.program.stop();
  report.end();
  miniflare.dispose().catch(() => {});
  rmSync(folder, { recursive: true, force: true });
}
