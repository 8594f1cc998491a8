// The API reference at /docs: Swagger UI over the document of the gateway that serves it.

import "swagger-ui-dist/swagger-ui.css";
import "./reference.css";
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

SwaggerUI({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  // The document would be sent to another host otherwise.
  validatorUrl: null,
  // As the document has it: the order of chapters is an order of use.
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
  // What Authorize was given is all that a request shows: a cookie of an older login would contradict it.
  requestInterceptor: (request) => ({ ...request, credentials: "omit" }),
});
