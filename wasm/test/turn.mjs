// iceServers against coturn: every runtime by itself, relay only, over UDP, TCP
// and TLS; and servers that refuse or are not there.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";
import { Program } from "./processes.mjs";
import { Report, freePort, ownAddress as own } from "./report.mjs";
import { RUNTIMES } from "./runtimes.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "picortc-turn-"));

const report = new Report("turn");
const [port, tlsPort, nobody] = [await freePort(own), await freePort(own), await freePort(own)];
const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
execFileSync("openssl", [
  "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=relay", "-keyout", key,
  "-out", cert, "-addext", `subjectAltName=IP:${own},DNS:localhost`, "-addext", "basicConstraints=critical,CA:FALSE",
], { stdio: "ignore" });
writeFileSync(join(folder, "turn.conf"), [
  `listening-ip=${own}`, `relay-ip=${own}`, `listening-port=${port}`, `tls-listening-port=${tlsPort}`, "lt-cred-mech", "user=user:password",
  "realm=test", "allow-loopback-peers", "no-cli", "no-dtls", `cert=${cert}`, `pkey=${key}`, `userdb=${folder}/db`, `pidfile=${folder}/pid`,
  "log-file=stdout", "simple-log",
].join("\n"));
const turn = new Program("turnserver", ["-c", join(folder, "turn.conf")], { cwd: folder });
await turn.wait((line) => /TLS.*listener opened|listener opened.*TLS/i.test(line.text ?? ""), "coturn", 15_000).catch(() => {});

const URLS = {
  udp: `turn:${own}:${port}`, tcp: `turn:${own}:${port}?transport=tcp`, tls: `turns:${own}:${tlsPort}`,
};
const ca = readFileSync(cert, "utf8");

async function inProcess(runtime, name, given) {
  const [command, ...args] = RUNTIMES[runtime]();
  const program = new Program(command, [...args, `${here}relayed-peer.mjs`, name, JSON.stringify({ ca, ...given })], { cwd: here });
  try {
    const { saw, error } = await program.wait((line) => (line.saw || line.error) && line, name, 120_000);
    if (error) throw new Error(error);
    return saw;
  } finally {
    await program.stop();
  }
}

const login = { username: "user", credential: "password" };
for (const runtime of Object.keys(RUNTIMES)) {
  for (const [how, url] of Object.entries(URLS)) {
    // Bun goes by the same adapter: once, and the deepest.
    if (runtime === "bun" && how !== "tls") continue;
    await report.check(`${runtime}, relay only, ${how}`, () => inProcess(runtime, "relayed", { url, udp: how === "udp", ...login }));
  }
}
await report.check("node, a wrong password", () => inProcess("node", "refused", { url: URLS.tcp, username: "user", code: 401 }));
await report.check("deno, nobody there, by name", () => inProcess("deno", "refused", { url: `turn:localhost:${nobody}?transport=tcp`, username: "user", code: 701 }));
await report.check("node, a certificate that nobody trusts", () => inProcess("node", "refused", { url: URLS.tls, username: "user", code: 701, ca: undefined }));

// A Worker cannot be told to trust the run's certificate: TLS is not tried there.
const miniflare = new Miniflare({
  rootPath: `${here}..`, modulesRoot: `${here}..`, modules: true, scriptPath: `${here}relayed-worker.mjs`,
  modulesRules: [{ type: "ESModule", include: ["**/*.js", "**/*.mjs"] }, { type: "CompiledWasm", include: ["**/*.wasm"] }],
  compatibilityDate: "2026-04-01",
});
const inWorker = async (name, given) => {
  const response = await miniflare.dispatchFetch("http://worker/", { method: "POST", body: JSON.stringify([name, given]) });
  const { saw, error } = await response.json();
  if (error) throw new Error(error);
  return saw;
};
await report.check("workerd, relay only, tcp", () => inWorker("relayed", { url: URLS.tcp, ...login }));
await report.check("workerd, a wrong password", () => inWorker("refused", { url: URLS.tcp, username: "user", code: 401 }));

await turn.stop();
rmSync(folder, { recursive: true, force: true });
report.end();
miniflare.dispose().catch(() => {});
