// Light or dark, as in the shop: what was chosen there, else what the system prefers. Before the first paint.
(function () {
  var dark = matchMedia('(prefers-color-scheme: dark)');
  function chosen() {
    try { return localStorage.getItem('mantine-color-scheme-value') || 'auto'; } catch (error) { return 'auto'; }
  }
  function apply() {
    var scheme = chosen();
    document.documentElement.classList.toggle('dark-mode', scheme === 'dark' || (scheme === 'auto' && dark.matches));
  }
  dark.addEventListener('change', apply);
  apply();
})();
