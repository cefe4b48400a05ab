// Renders the description that was built with this page.
window.SwaggerUIBundle({
  url: 'OPENAPI_ADDRESS',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  persistAuthorization: false,
  // The kit puts a link into the button that opens an operation; a button may hold none. The address follows all the same.
  plugins: [() => ({ wrapComponents: { DeepLink: () => ({ text }) => text } })],
});

// What the kit leaves out: lists of allowed values are named by their row, and long examples can be scrolled by keyboard.
new MutationObserver(() => {
  for (const list of document.querySelectorAll('#reference select:not([aria-label])')) {
    list.setAttribute('aria-label', list.closest('[data-param-name]')?.dataset.paramName ?? 'Choice');
  }
  for (const example of document.querySelectorAll('#reference .microlight:not([tabindex])')) example.setAttribute('tabindex', '0');
}).observe(document.getElementById('reference'), { childList: true, subtree: true });
