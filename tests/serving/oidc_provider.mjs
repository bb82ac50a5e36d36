// A real OpenID Connect provider on loopback for the tests, driven by JSON lines on standard input.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { OAuth2Server } = await import(pathToFileURL(process.argv[2]).href);
const server = new OAuth2Server();
await server.issuer.keys.generate("RS256", { kid: "first" });
await server.start(0, "127.0.0.1");
const port = server.address().port;
server.issuer.url = `http://127.0.0.1:${port}`;

// What the next answers of the token endpoint are to be: other claims, an unsigned token, an error.
let changed = {};
server.service.on("beforeTokenSigning", (token) => Object.assign(token.payload, changed.claims ?? {}));
server.service.on("beforeResponse", (answer) => {
  if (changed.unsigned) {
    const [, claims] = answer.body.id_token.split(".");
    const header = Buffer.from(JSON.stringify({ alg: "none", kid: "first" })).toString("base64url");
    answer.body.id_token = `${header}.${claims}.`;
  }
  if (changed.without) delete answer.body.id_token;
  if (changed.status) { answer.statusCode = changed.status; answer.body = { error: "invalid_grant" }; }
});

const jobs = {
  change: (how) => { changed = how; return "changed"; },
  token: ({ claims, kid, header }) =>
    server.issuer.buildToken({
      kid,
      scopesOrTransform: (head, payload) => { Object.assign(head, header); Object.assign(payload, claims); },
    }),
  rotate: async ({ kid }) => { await server.issuer.keys.generate("RS256", { kid }); return kid; },
  stop: async () => { await server.stop(); return "stopped"; },
  start: async () => { await server.start(port, "127.0.0.1"); server.issuer.url = `http://127.0.0.1:${port}`; return "started"; },
};
console.log(JSON.stringify(server.issuer.url));
for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  console.log(JSON.stringify(await jobs[job.do](job)));
}
