// examples-wasm/node-data-channels, as its start.sh starts it: its page in
// Chromium, and the example in one runtime with that in another.
import { fileURLToPath } from "node:url";
import { launch } from "../../tests/browsers/browser.mjs";
import { Program } from "./processes.mjs";
import { Report } from "./report.mjs";
import { RUNTIMES } from "./runtimes.mjs";

const folder = fileURLToPath(new URL("../../examples-wasm/node-data-channels/", import.meta.url));
const report = new Report("node-data-channels");
const programs = [];

function start(runtime, ...args) {
  const env = { ...process.env, DENO: RUNTIMES.deno()[0], BUN: RUNTIMES.bun()[0] };
  const program = new Program("./start.sh", [runtime, "--http", "127.0.0.1:0", ...args], { cwd: folder, env });
  programs.push(program);
  return program;
}
const url = (program) => program.wait((line) => /^http:\S+$/.exec(line.text ?? "")?.[0], "the URL");

const chromium = await launch("chromium", "default");
try {
  for (const runtime of ["node", "deno"]) {
    await report.check(`${runtime}, the page in Chromium`, async () => {
      const program = start(runtime);
      const page = await chromium.page();
      await page.goto(await url(program));
      await page.click("#connect");
      await page.waitForSelector("#text:enabled", { timeout: 60_000 });
      await page.type("#text", "there and back");
      await page.keyboard.press("Enter");
      await page.waitForFunction(() => document.querySelector("#log .theirs")?.textContent === "there and back", { timeout: 30_000 });
      await page.click("#test");
      await page.waitForFunction(() => Number(document.getElementById("down").textContent) > 0, { timeout: 30_000 });
      const shot = process.env.SCREENSHOTS;
      if (shot) await page.screenshot({ path: `${shot}/data-channels-${runtime}.png` });
      await page.click("#connect"); // Which says "Disconnect" by now.
      await program.wait((line) => /^a peer is gone/.test(line.text ?? ""), "the peer's end", 60_000);
      await page.close();
      return "a line echoed, the throughput test counted";
    });
  }
  await report.check("deno offers to node", async () => {
    const node = start("node");
    const deno = start("deno", "--offer-to", `${await url(node)}offer`, "--label", "hello", "--no-echo");
    await Promise.all([node, deno].map((program) => program.wait((line) => /^hello is open/.test(line.text ?? ""), "the channel")));
    return "the channel is open at both ends";
  });
} finally {
  await chromium.close();
  await Promise.all(programs.map((program) => program.stop()));
  report.end();
}
