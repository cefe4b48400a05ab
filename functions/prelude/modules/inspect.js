// What console.log shows of values that are no strings.
import inspect from "object-inspect";

const LIMITS = { depth: 4, maxStringLength: 4096, quoteStyle: "single" };

export function inspectValue(value) {
  if (value instanceof Error) return String(value.stack ? `${value}\n${value.stack}` : value);
  return inspect(value, LIMITS);
}
