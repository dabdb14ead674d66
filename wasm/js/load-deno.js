// Loads the module in Deno: part of the module graph, so that no permission is
// asked for.
import source module from "./wasm/picortc_bg.wasm";
import { install } from "./native.js";

install(module);
