// The entry for Deno: datagrams go through node:dgram, with no permission but --allow-net.
import "./load-deno.js";
import { setDefaultTransport } from "./transport.js";
import { dgram } from "./transports/dgram.js";

setDefaultTransport(dgram());

export * from "./api.js";
export { dgram } from "./transports/dgram.js";
export type { DgramOptions } from "./transports/dgram.js";
