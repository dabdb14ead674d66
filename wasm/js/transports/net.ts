// Streams through node:net and node:tls, and names through node:dns: for Node,
// Deno and Bun.
import { lookup } from "node:dns";
import { type Server, type Socket, createServer, isIP, connect as tcp } from "node:net";
import { connect as tls } from "node:tls";
import type { Address, Stream, StreamSink, StreamTarget } from "../transport.js";

export interface TlsOptions {
  /** Certificates in PEM. */
  ca?: string | string[];
}

/** No answer for so long is a failure. */
const PATIENCE = 10_000;

/** Opens a stream. */
export function connect(target: StreamTarget, sink: StreamSink, options: TlsOptions = {}): Stream {
  const { protocol, host, port } = target;
  const at = { host, port, ...(target.localIp === null ? {} : { localAddress: target.localIp }) };
  // TLS knows no server names that are addresses.
  const socket: Socket = protocol === "tcp" ? tcp(at) : tls({ ...at, ...options, ...(isIP(host) ? {} : { servername: host }) });
  const timer = setTimeout(() => socket.destroy(), PATIENCE);
  const stream = wrap(socket, sink, () => clearTimeout(timer));
  socket.on(protocol === "tcp" ? "connect" : "secureConnect", () => {
    clearTimeout(timer);
    opened(socket, sink, host, port);
  });
  return stream;
}

/**
 * Listens for streams at an address; `listens` has the port that it came to,
 * `failed` says that there is none, or no more.
 */
export function listen(ip: string, port: number, accept: (attach: (sink: StreamSink) => Stream) => void,
  listens: (port: number) => void, failed: () => void): Server {
  const server = createServer((socket) => accept((sink) => {
    // Whoever attaches has the stream first.
    queueMicrotask(() => opened(socket, sink, "", 0));
    return wrap(socket, sink, () => {});
  }));
  server.on("error", () => {
    server.close();
    failed();
  });
  server.listen(port, ip, () => {
    const at = server.address();
    if (at !== null && typeof at === "object") listens(at.port);
    else failed();
  });
  return server;
}

function opened(socket: Socket, sink: StreamSink, host: string, port: number): void {
  socket.setNoDelay(true);
  sink.opened(end(socket.localAddress, socket.localPort), end(socket.remoteAddress ?? host, socket.remotePort ?? port));
}

function wrap(socket: Socket, sink: StreamSink, done: () => void): Stream {
  socket.on("data", (data: Uint8Array) => sink.receive(data));
  socket.on("drain", () => sink.drained());
  // "close" follows.
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    done();
    sink.closed();
  });
  return {
    // A copy: the octets change.
    write: (data) => socket.write(data.slice()),
    close() {
      done();
      if (socket.connecting) return void socket.destroy();
      // What was written goes out first, unless nobody takes it.
      socket.end();
      const timer = setTimeout(() => socket.destroy(), PATIENCE);
      socket.once("close", () => clearTimeout(timer));
    },
  };
}

const end = (ip = "0.0.0.0", port = 0): Address => ({ ip: ip.split("%", 1)[0] as string, port });

/** The addresses of a name. */
export function resolve(name: string): Promise<string[]> {
  return new Promise((settle, reject) => {
    lookup(name, { all: true }, (error, all) => (error ? reject(error) : settle(all.map(({ address }) => address))));
  });
}
