// The entry for Node and Bun: datagrams go through node:dgram.
import "./load-node.js";
import { setDefaultTransport } from "./transport.js";
import { dgram } from "./transports/dgram.js";

setDefaultTransport(dgram());

export * from "./api.js";
export { dgram } from "./transports/dgram.js";
export type { DgramOptions } from "./transports/dgram.js";
