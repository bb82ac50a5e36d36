// Starts Swagger UI on /docs. It reads the description of this service, sends nothing elsewhere (no validator), and keeps no token.
"use strict";
window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#interface",
  validatorUrl: null,
  persistAuthorization: false,
  queryConfigEnabled: false,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
});
