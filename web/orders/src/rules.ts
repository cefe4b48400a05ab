/** What may be done with an order, and how its way is told. */
import type { Order, OrderStatus, Payment } from '@purser/api';

export const PAYMENT_METHODS: { value: string; label: string; hint: string }[] = [
  { value: 'pm_card_visa', label: 'Visa ending 4242', hint: 'Goes through' },
  { value: 'pm_card_chargeDeclined', label: 'Visa ending 0002', hint: 'Declined by the bank' },
  { value: 'pm_card_chargeDeclinedInsufficientFunds', label: 'Visa ending 9995', hint: 'Not enough funds' },
  { value: 'pm_sandbox_flaky', label: 'Flaky bank', hint: 'Fails twice, then goes through' },
  { value: 'pm_sandbox_late', label: 'Slow bank', hint: 'Charged, but answers late' },
  { value: 'pm_sandbox_timeout', label: 'Silent bank', hint: 'Never answers' },
];

const FAILURES: Record<string, string> = {
  card_declined: 'The card was declined.',
  insufficient_funds: 'There are not enough funds on the card.',
  timeout: 'The bank did not answer.',
};

export function methodLabel(method: string | undefined): string {
  return PAYMENT_METHODS.find((one) => one.value === method)?.label ?? method ?? 'Card';
}

export function failureText(code: string | null | undefined): string {
  if (!code) return 'The payment did not go through.';
  return FAILURES[code] ?? `The payment did not go through (${code.replace(/_/g, ' ')}).`;
}

export function canCancel(status: OrderStatus): boolean {
  return status === 'pending_payment' || status === 'payment_failed' || status === 'paid';
}

export function canRefund(payment: Payment | null): boolean {
  return payment !== null && ['succeeded', 'partially_refunded'].includes(payment.status) && payment.refunded_amount < payment.amount;
}

/** The last letters of an id: enough to tell one's own orders apart. */
export function shortId(id: string): string {
  return id.slice(-8);
}

export function isId(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

export interface Step {
  status: OrderStatus;
  state: 'done' | 'now' | 'bad' | 'ahead';
  at: string | null;
  reason: string | null;
}

const WAY: OrderStatus[] = ['pending_payment', 'paid', 'shipped', 'delivered'];
const BAD: OrderStatus[] = ['payment_failed', 'cancelled'];

/** What has happened, then what is still to come unless the order has ended. */
export function timeline(order: Pick<Order, 'history' | 'status'>): Step[] {
  const past = order.history.map((entry, index): Step => {
    const last = index === order.history.length - 1;
    const waiting = last && entry.status === 'pending_payment';
    const state = BAD.includes(entry.status) ? 'bad' : waiting ? 'now' : 'done';
    return { status: entry.status, state, at: entry.at, reason: entry.reason ?? null };
  });
  if (order.status === 'cancelled') return past;
  const from = order.status === 'payment_failed' ? 0 : WAY.indexOf(order.status);
  const ahead = WAY.slice(from + 1).map((status): Step => ({ status, state: 'ahead', at: null, reason: null }));
  return [...past, ...ahead];
}
