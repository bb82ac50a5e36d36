// A records system with oidc-provider: a FHIR address with its SMART configuration, sign-in, and a person in view.
// node epr.mjs CLIENT_ID REDIRECT_URI PATIENT; prints its address once it listens.
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [, , client, redirect, patient] = process.argv;
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const address = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(address, {
    clients: [
      {
        client_id: client,
        redirect_uris: [redirect],
        token_endpoint_auth_method: "none",
        application_type: "native",
        id_token_signed_response_alg: "RS256",
      },
    ],
    scopes: ["openid", "launch", "launch/patient", "fhirUser", "patient/Patient.r"],
    claims: { openid: ["sub", "role", "name"] },
    conformIdTokenClaims: false,
    extraParams: ["aud", "launch"],
    findAccount: (context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, role: "R8000", name: "Sam" }),
    }),
    cookies: { keys: ["only for this test"] },
  });
  provider.use(async (context, next) => {
    await next();
    if (context.oidc?.route === "token" && context.status === 200) context.body = { ...context.body, patient };
  });
  const answer = provider.callback();
  server.on("request", (request, response) => {
    if (request.url !== "/fhir/.well-known/smart-configuration") return answer(request, response);
    response.setHeader("Content-Type", "application/json");
    response.end(
      JSON.stringify({
        issuer: address,
        jwks_uri: `${address}/jwks`,
        authorization_endpoint: `${address}/auth`,
        token_endpoint: `${address}/token`,
        code_challenge_methods_supported: ["S256"],
        capabilities: ["launch-ehr", "context-ehr-patient", "client-public", "sso-openid-connect"],
      }),
    );
  });
  process.stdout.write(`${address}\n`);
});
