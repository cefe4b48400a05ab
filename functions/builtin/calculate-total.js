// calculate-total: what an order costs.
//
// Event:  { items: [{ unit_price, quantity }], discount_percent?, tax_percent? }
// Result: { subtotal, discount, tax, total }
//
// Amounts are integers in the currency's minor unit. Percentages are decimal text ("7.5", at most six decimals), so that
// no binary fraction ever comes near money; a whole number is taken too. All arithmetic is on integers of any size:
//   subtotal = the sum of unit_price × quantity, exact
//   discount = subtotal × discount_percent, rounded half up to the minor unit, once per order
//   tax      = (subtotal − discount) × tax_percent, rounded half up to the minor unit, once per order
//   total    = subtotal − discount + tax
// What cannot be an exact integer in JSON (beyond 2^53 − 1) is refused.

const DECIMALS = 6;
const SCALE = 10n ** BigInt(DECIMALS); // a percentage p is held as p × SCALE
const HUNDRED = 100n * SCALE;

function integer(value, name, min) {
  if (!Number.isSafeInteger(value) || value < min) throw new TypeError(`${name} must be an integer of at least ${min}`);
  return BigInt(value);
}

function percent(value, name) {
  if (value === undefined || value === null) return 0n;
  const text = Number.isSafeInteger(value) ? String(value) : value;
  const match = typeof text === "string" && /^(\d{1,3})(?:\.(\d{1,6}))?$/.exec(text);
  if (!match) throw new TypeError(`${name} must be decimal text such as "7.5"`);
  const scaled = BigInt(match[1]) * SCALE + BigInt((match[2] ?? "").padEnd(DECIMALS, "0"));
  if (scaled > HUNDRED) throw new RangeError(`${name} must be at most 100`);
  return scaled;
}

const share = (amount, scaled) => (amount * scaled + HUNDRED / 2n) / HUNDRED;

function number(amount, name) {
  if (amount > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`${name} is larger than 2^53 - 1`);
  return Number(amount);
}

function handler(event) {
  if (!Array.isArray(event?.items) || event.items.length === 0) throw new TypeError("items must be a list that is not empty");
  const subtotal = event.items.reduce(
    (sum, item, index) =>
      sum + integer(item?.unit_price, `items/${index}/unit_price`, 0) * integer(item?.quantity, `items/${index}/quantity`, 1),
    0n,
  );
  const discount = share(subtotal, percent(event.discount_percent, "discount_percent"));
  const tax = share(subtotal - discount, percent(event.tax_percent, "tax_percent"));
  return {
    subtotal: number(subtotal, "subtotal"),
    discount: number(discount, "discount"),
    tax: number(tax, "tax"),
    total: number(subtotal - discount + tax, "total"),
  };
}
