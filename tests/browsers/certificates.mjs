// An authority of the run's own, and a server's certificate from it.
//
//   node certificates.mjs FOLDER ADDRESS
//
// leaves ca.pem, cert.pem and key.pem in FOLDER.
import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

// A server's URL as a browser takes it: Firefox uses TURN over TLS by a name
// only, which the certificate has besides the address.
const NAME = "turn.test";
export const urlFor = (browser, url) => (browser === "firefox" ? url.replace(/^turns:[^:]+/, `turns:${NAME}`) : url);

export function certify(folder, address) {
  const at = (name) => join(folder, name);
  const make = (name, key, ...more) => {
    const fresh = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    const argv = [...fresh, "-subj", `/CN=${name}`, "-keyout", at(key), ...more];
    execFileSync("openssl", argv, { stdio: ["ignore", "ignore", "pipe"] });
  };
  const add = (...extensions) => extensions.flatMap((extension) => ["-addext", extension]);
  const isCa = add("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign");
  make("rig authority", "ca-key.pem", "-out", at("ca.pem"), ...isCa);
  const isServer = add("basicConstraints=critical,CA:FALSE", `subjectAltName=IP:${address},DNS:${NAME}`, "extendedKeyUsage=serverAuth");
  make("rig", "key.pem", "-CA", at("ca.pem"), "-CAkey", at("ca-key.pem"), "-out", at("cert.pem"), ...isServer);
  return { ca: at("ca.pem"), cert: at("cert.pem"), key: at("key.pem") };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) certify(...process.argv.slice(2));
