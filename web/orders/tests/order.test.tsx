import { fireEvent, screen, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';
import { endSession, signIn } from '@purser/api';
import type { Order } from '@purser/api';
import { draw } from '../../testing/render';
import { order, ORDER_ID, page, payment, tokens, user as ada } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import type { Answers } from '../../testing/server';
import App from '../src/app';

const ORDER = `GET /api/v1/orders/${ORDER_ID}`;
const PAYMENTS = 'GET /api/v1/payments';
const failed: Partial<Order> = { status: 'payment_failed', payment: payment({ status: 'failed', failure_code: 'card_declined' }) };
afterEach(() => endSession('chosen'));

async function open(answers: Answers, role: 'user' | 'admin' = 'user') {
  const table = serve({ 'POST /api/v1/auth/login': { body: { ...tokens, user: { ...ada, role } } }, [PAYMENTS]: page(), ...answers });
  await signIn('a@b.co', 'secret');
  return { ...draw(<App />, `/orders/${ORDER_ID}`), ...table };
}

describe('an order', () => {
  it('moves on when the event makes it stale', async () => {
    const { client, answers } = await open({ [ORDER]: { body: order({ status: 'pending_payment', payment: payment({ status: 'pending' }), history: [{ status: 'pending_payment', at: ada.created_at }] }) } });
    expect(await screen.findByText(/waiting for the bank/)).toBeTruthy();
    answers[ORDER] = { body: order() };
    await client.invalidateQueries({ queryKey: ['orders'] });
    expect(await screen.findByText('Receipt')).toBeTruthy();
    expect(screen.getByText('Order status: Paid')).toBeTruthy();
  });

  it('pays again once for a double click', async () => {
    const { asked } = await open({ [ORDER]: { body: order(failed) }, [`POST /api/v1/orders/${ORDER_ID}/payments`]: { status: 201, body: payment({ status: 'pending' }) } });
    const button = await screen.findByRole('button', { name: /^Pay/ });
    expect(screen.getAllByText(/The card was declined/).length).toBeGreaterThan(0);
    fireEvent.click(button);
    fireEvent.click(button);
    await waitFor(() => expect(asked.filter((one) => one.path.endsWith('/payments') && one.method === 'POST')).toHaveLength(1));
  });

  it('is cancelled after a question', async () => {
    const { user, asked, answers } = await open({ [ORDER]: { body: order() }, [`POST /api/v1/orders/${ORDER_ID}/cancel`]: { body: order({ status: 'cancelled' }) } });
    await user.click(await screen.findByRole('button', { name: 'Cancel order' }));
    expect(await screen.findByText('The whole amount goes back to your card.')).toBeTruthy();
    answers[ORDER] = { body: order({ status: 'cancelled', history: [{ status: 'paid', at: ada.created_at }, { status: 'cancelled', at: ada.created_at }] }) };
    await user.click(screen.getByRole('button', { name: 'Cancel the order' }));
    await waitFor(() => expect(screen.getByText('Order status: Cancelled')).toBeTruthy());
    expect(asked.some((one) => one.path.endsWith('/cancel') && one.headers.has('Idempotency-Key'))).toBe(true);
  });

  it('shows administrators what they may do, and nobody else', async () => {
    const { user, asked } = await open({ [ORDER]: { body: order() }, [`POST /api/v1/orders/${ORDER_ID}/ship`]: { body: order({ status: 'shipped' }) } }, 'admin');
    await user.click(await screen.findByRole('button', { name: 'Mark as shipped' }));
    await waitFor(() => expect(asked.some((one) => one.path.endsWith('/ship'))).toBe(true));
    endSession('chosen');
  });

  it('hides administration from buyers', async () => {
    await open({ [ORDER]: { body: order() } });
    await screen.findByText('Receipt');
    expect(screen.queryByText('Administration')).toBeNull();
  });

  it('refunds no more than is left', async () => {
    const { user, asked } = await open({ [ORDER]: { body: order({ payment: payment({ status: 'partially_refunded', refunded_amount: 900 }) }) }, 'POST /api/v1/payments/p1/refunds': { status: 201, body: payment() } }, 'admin');
    await user.click(await screen.findByRole('button', { name: 'Refund' }));
    const amount = await screen.findByLabelText('Amount in EUR');
    expect((amount as HTMLInputElement).value).toBe('20.00');
    await user.clear(amount);
    await user.type(amount, '20.01');
    await user.click(screen.getAllByRole('button', { name: 'Refund' }).at(-1)!);
    expect(await screen.findByText(/At most/)).toBeTruthy();
    await waitFor(() => expect(document.activeElement).toBe(amount));
    await user.clear(amount);
    await user.type(amount, '5{Enter}');
    await waitFor(() => expect(asked.find((one) => one.path.endsWith('/refunds'))?.body).toEqual({ amount: 500 }));
  });

  it('knows what does not exist, without asking for nonsense', async () => {
    const { asked } = serve({});
    draw(<App />, '/orders/..%2Fadmin');
    expect(await screen.findByText('There is no such order')).toBeTruthy();
    expect(asked).toHaveLength(0);
  });

  it('offers another try when it cannot be had', async () => {
    await open({ [ORDER]: refused(500, 'internal', 'x') });
    expect(await screen.findByRole('button', { name: 'Try again' })).toBeTruthy();
  });
});

describe('the list', () => {
  it('filters by the address', async () => {
    const { asked } = serve({ 'GET /api/v1/orders': page(order({ status: 'shipped' })) });
    const { user } = draw(<App />, '/orders?status=shipped');
    expect(await screen.findByText('2 × Stoneware mug')).toBeTruthy();
    expect(asked[0]?.search.get('status')).toBe('shipped');
    await user.selectOptions(screen.getByLabelText('Show orders by status'), 'paid');
    await waitFor(() => expect(asked.at(-1)?.search.get('status')).toBe('paid'));
  });

  it('ignores a status that there is not', async () => {
    const { asked } = serve({ 'GET /api/v1/orders': page() });
    draw(<App />, '/orders?status=%3Cscript%3E');
    expect(await screen.findByText('No orders yet')).toBeTruthy();
    expect(asked[0]?.search.has('status')).toBe(false);
  });
});
