// What the runs that start servers share: a line per check and the sum, an
// address of this machine, and ports that are free.
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";

export const ownAddress =
  Object.values(networkInterfaces()).flat().find((a) => a.family === "IPv4" && !a.internal)?.address ?? "127.0.0.1";

export const freePort = (host) => new Promise((resolve) => {
  const server = createServer().listen(0, host, () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

export class Report {
  #subject;
  #passed = 0;
  #failed = 0;

  constructor(subject) {
    this.#subject = subject;
  }

  // `run` returns what it saw.
  async check(name, run) {
    const from = performance.now();
    try {
      const saw = await run();
      this.#passed += 1;
      console.log(`ok ${this.#subject}/${name} (${saw}, ${((performance.now() - from) / 1000).toFixed(1)} s)`);
    } catch (error) {
      this.#failed += 1;
      console.log(`FAIL ${this.#subject}/${name}: ${error.message}`);
    }
  }

  // Prints the sum, and ends the program soon: workerd waits for its
  // connections when it is asked to end.
  end() {
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    setTimeout(() => process.exit(this.#failed > 0 || this.#passed === 0 ? 1 : 0), 500);
  }
}
