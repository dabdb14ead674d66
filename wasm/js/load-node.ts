// Loads the module in Node and Bun: synchronously, so that `require` works.
import { readFileSync } from "node:fs";
import { install } from "./native.js";

install(readFileSync(new URL("./wasm/picortc_bg.wasm", import.meta.url)));
