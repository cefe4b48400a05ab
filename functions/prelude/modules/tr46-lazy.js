// Stands for tr46 in the url module: its tables (240 KB) are loaded only for a host name that is not plain ASCII.
const PLAIN = /^[a-z0-9.-]*$/;

export function toASCII(domain, options = {}) {
  const lower = domain.toLowerCase();
  if (PLAIN.test(lower) && !lower.includes("xn--") && !options.verifyDNSLength && !options.checkHyphens) return lower;
  return load("tr46").toASCII(domain, options);
}

export function toUnicode(domain, options) {
  return load("tr46").toUnicode(domain, options);
}
