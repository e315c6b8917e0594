// Shows the gateway's document. What a caller may use depends on the token, so the document is read again with each one.
const DOCUMENT = "openapi.json";
let credentials = null;

// The value of `Authorization` for what "Authorize" was given.
function authorization(authorized) {
  for (const { schema, value } of Object.values(authorized)) {
    const isBearer = (schema.get ? schema.get("scheme") : schema.scheme) === "bearer";
    if (value) return isBearer ? `Bearer ${value}` : value;
  }
  return null;
}

const ReadAgain = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        authorize: (proceed, system) => (authorized) => {
          const done = proceed(authorized);
          credentials = authorization(authorized);
          system.specActions.download(DOCUMENT);
          return done;
        },
        logout: (proceed, system) => (names) => {
          const done = proceed(names);
          credentials = null;
          system.specActions.download(DOCUMENT);
          return done;
        },
      },
    },
  },
});

window.ui = SwaggerUIBundle({
  url: DOCUMENT,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  plugins: [ReadAgain],
  requestInterceptor: (request) => {
    if (request.loadSpec && credentials) request.headers.Authorization = credentials;
    return request;
  },
});
