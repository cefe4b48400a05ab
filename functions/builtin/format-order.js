// format-order: the receipt of an order.
//
// Event:  an order as the API shows it: { id, currency, total, items: [{ name, quantity, line_total, … }], … }
// Result: { title, body, data: { total } }
//
// As a hook on order.created its result becomes the buyer's receipt notification. Amounts come in the currency's minor unit
// and are written out with as many decimals as ISO 4217 gives the currency; nothing is computed but that.

const DECIMALS = {
  BIF: 0, CLP: 0, DJF: 0, GNF: 0, ISK: 0, JPY: 0, KMF: 0, KRW: 0, PYG: 0, RWF: 0, UGX: 0, UYI: 0, VND: 0, VUV: 0, XAF: 0, XOF: 0,
  XPF: 0, BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3, CLF: 4, UYW: 4,
};

function money(amount, currency) {
  if (!Number.isSafeInteger(amount) || amount < 0) throw new TypeError("an amount must be an integer of at least 0");
  const decimals = DECIMALS[currency] ?? 2;
  const digits = String(amount).padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${whole}${decimals ? "." + digits.slice(-decimals) : ""} ${currency}`;
}

function handler(order) {
  if (typeof order?.id !== "string" || !/^[A-Z]{3}$/.test(order.currency) || !Array.isArray(order.items))
    throw new TypeError("the event must be an order with id, currency, total and items");
  const lines = order.items.map((item) => `${item.quantity} × ${item.name ?? item.sku}: ${money(item.line_total, order.currency)}`);
  return {
    title: `Receipt for order ${order.id.slice(-8)}`,
    body: [...lines, `Total: ${money(order.total, order.currency)}`].join("\n"),
    data: { total: order.total },
  };
}
