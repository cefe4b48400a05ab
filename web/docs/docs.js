// Renders the description that was built with this page.
window.SwaggerUIBundle({
  url: 'OPENAPI_ADDRESS',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  persistAuthorization: false,
});
