// As much of Swagger UI as is used here: its package has no types.

declare module "swagger-ui-dist/swagger-ui-es-bundle.js" {
  interface SwaggerRequest {
    url: string;
    method: string;
    headers: Record<string, string>;
    body?: string;
    credentials?: RequestCredentials;
  }

  interface Options {
    url: string;
    dom_id: string;
    deepLinking: boolean;
    validatorUrl: null;
    docExpansion: "list" | "full" | "none";
    defaultModelsExpandDepth: number;
    filter: boolean;
    tryItOutEnabled: boolean;
    persistAuthorization: boolean;
    requestInterceptor: (request: SwaggerRequest) => SwaggerRequest;
  }

  export default function SwaggerUI(options: Options): unknown;
}

declare module "*.css";
