// node provider.mjs PORT SETTINGS: an OpenID provider on 127.0.0.1, which prints "listening". SETTINGS is a file of JSON:
// `clients`, `jwks`, `accounts` (claims by sub), `redirects`, `inIdToken`. Who asks with the field X-Account is logged in as that
// account without another word.
import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

const [port, file] = process.argv.slice(2);
const { clients, jwks, accounts, inIdToken } = JSON.parse(readFileSync(file, "utf8"));
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks,
  conformIdTokenClaims: !inIdToken,
  claims: { openid: ["sub"], profile: ["roles", "facility", "national_number"] },
  async findAccount(_, id) {
    return accounts[id] && { accountId: id, claims: async () => ({ sub: id, ...accounts[id] }) };
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  async extraTokenClaims(_, token) {
    return token.clientId === "worklist-robot" ? { roles: ["radiologist"], facility: "H7" } : undefined;
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: async (_, resource) => ({
        scope: "vna:query vna:retrieve vna:admin",
        audience: resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
});

provider.use(async (context, next) => {
  if (!context.path.startsWith("/interaction/")) return next();
  const accountId = context.get("x-account");
  if (!accountId) {
    const refused = { error: "access_denied", error_description: "nobody is there" };
    return provider.interactionFinished(context.req, context.res, refused);
  }
  const { params } = await provider.interactionDetails(context.req, context.res);
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(context.req, context.res, { login: { accountId }, consent });
});

provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
