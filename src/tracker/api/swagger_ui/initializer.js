"use strict";

SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  deepLinking: true,
  displayRequestDuration: true,
  // A service elsewhere would have to read the document; this server may have no way out.
  validatorUrl: null,
});
