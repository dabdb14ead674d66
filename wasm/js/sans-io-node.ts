import "./load-node.js";

export * from "./sans-io.js";
export { Certificate } from "./native.js";
