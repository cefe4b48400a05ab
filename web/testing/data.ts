/** Things of the contract for tests. */
import type { Notification, Order, Payment, Product, User } from '@purser/api';

export const ORDER_ID = '01932f50-02ab-7c11-8a3e-9d1b2c3d4e5f';
export const user: User = { id: '01932f4e-7b1c-7d2a-9c55-3f1f6a0b7c11', email: 'ada@example.com', name: 'Ada', role: 'user', created_at: '2026-11-28T19:30:00.000Z', updated_at: '2026-11-28T19:30:00.000Z' };
export const tokens = { user, access_token: 'token-1', token_type: 'Bearer', expires_in: 900 };

export function product(change: Partial<Product> = {}): Product {
  return { sku: 'MUG-01', name: 'Stoneware mug', description: 'Holds 350 ml.', unit_price: 1450, currency: 'EUR', stock: 12, ...change };
}

export function payment(change: Partial<Payment> = {}): Payment {
  return { id: 'p1', order_id: ORDER_ID, user_id: user.id, amount: 2900, currency: 'EUR', status: 'succeeded', payment_method: 'pm_card_visa', failure_code: null, refunded_amount: 0, created_at: user.created_at, ...change };
}

export function order(change: Partial<Order> = {}): Order {
  return {
    id: ORDER_ID, user_id: user.id, status: 'paid', currency: 'EUR', total: 2900,
    items: [{ sku: 'MUG-01', name: 'Stoneware mug', unit_price: 1450, quantity: 2, line_total: 2900 }],
    payment: payment(), history: [{ status: 'pending_payment', at: user.created_at, reason: null }, { status: 'paid', at: user.created_at, reason: null }],
    created_at: user.created_at, updated_at: user.created_at, ...change,
  };
}

export function notification(change: Partial<Notification> = {}): Notification {
  return { id: 'n1', seq: 1, type: 'order.paid', title: 'Your order is paid', body: 'We received 29.00 EUR.', data: { order_id: ORDER_ID }, read_at: null, created_at: user.created_at, ...change };
}

export const page = <T>(...data: T[]) => ({ body: { data, next_cursor: null } });
