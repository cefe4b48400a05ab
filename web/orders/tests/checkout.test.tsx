import { fireEvent, screen, waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { draw } from '../../testing/render';
import { order, ORDER_ID, page, product } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import App from '../src/app';
import { addToBasket, clearBasket } from '../src/basket';

const CREATE = 'POST /api/v1/orders';
const SHOW = { [`GET /api/v1/orders/${ORDER_ID}`]: { body: order() }, 'GET /api/v1/payments': page() };

beforeEach(() => {
  clearBasket();
  addToBasket(product(), 2);
});

const payButton = () => screen.getByRole('button', { name: /^Pay/ });

describe('checkout', () => {
  it('orders once for a double click, with the total that was shown', async () => {
    const { asked } = serve({ ...SHOW, [CREATE]: { status: 201, body: order({ status: 'pending_payment' }) } });
    draw(<App />, '/checkout');
    fireEvent.click(payButton());
    fireEvent.click(payButton());
    await waitFor(() => expect(screen.getByTestId('where').textContent).toBe(`/orders/${ORDER_ID}`));
    const posts = asked.filter((one) => one.method === 'POST');
    expect(posts).toHaveLength(1);
    expect(posts[0]?.body).toEqual({ items: [{ sku: 'MUG-01', quantity: 2 }], payment_method: 'pm_card_visa', expected_total: 2900 });
    expect(posts[0]?.headers.get('Idempotency-Key')).toMatch(/^\S{16,}$/);
  });

  it('uses the same key again after a lost answer', async () => {
    const { asked, answers } = serve({ ...SHOW, [CREATE]: new TypeError('failed to fetch') });
    const { user } = draw(<App />, '/checkout');
    await user.click(payButton());
    expect(await screen.findByText(/Can’t reach the server/)).toBeTruthy();
    answers[CREATE] = { status: 201, body: order(), headers: { 'Idempotent-Replayed': 'true' } };
    await user.click(payButton());
    await waitFor(() => expect(screen.getByTestId('where').textContent).toContain(ORDER_ID));
    const keys = asked.filter((one) => one.method === 'POST').map((one) => one.headers.get('Idempotency-Key'));
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
  });

  it('shows a changed price before anything is charged, and pays the new one', async () => {
    const { asked, answers } = serve({ ...SHOW, [CREATE]: refused(409, 'price-changed', 'Price changed', { total: 3000, currency: 'EUR' }), 'GET /api/v1/products/MUG-01': { body: product({ unit_price: 1500 }) } });
    const { user } = draw(<App />, '/checkout');
    await user.click(payButton());
    expect(await screen.findByText('The price has changed')).toBeTruthy();
    expect(await screen.findByRole('button', { name: /30\.00/ })).toBeTruthy();
    answers[CREATE] = { status: 201, body: order() };
    await user.click(payButton());
    await waitFor(() => expect(screen.getByTestId('where').textContent).toContain(ORDER_ID));
    expect(asked.filter((one) => one.method === 'POST').map((one) => (one.body as { expected_total: number }).expected_total)).toEqual([2900, 3000]);
  });

  it('says at the line that there is too little, and keeps what was typed', async () => {
    serve({ [CREATE]: refused(409, 'out-of-stock', 'Out of stock', { detail: 'Only 1 of MUG-01 is left.', errors: [{ pointer: '/items/0/quantity', detail: 'only 1 is left' }] }), 'GET /api/v1/products/MUG-01': { body: product({ stock: 1 }) } });
    const { user } = draw(<App />, '/checkout');
    for (const [label, text] of [['Recipient', 'Ada'], ['Street and number', 'Quay 1'], ['Postal code', '24103'], ['City', 'Kiel'], ['Country', 'DE']] as const) await user.type(screen.getByLabelText(label), text);
    await user.click(payButton());
    expect(await screen.findByText('Only 1 is left')).toBeTruthy();
    expect((screen.getByLabelText('City') as HTMLInputElement).value).toBe('Kiel');
    expect(sessionStorage.getItem('purser.checkout')).toContain('Quay 1');
  });

  it('does not send a half-filled address', async () => {
    const { asked } = serve({});
    const { user } = draw(<App />, '/checkout');
    await user.type(screen.getByLabelText('City'), 'Kiel');
    await user.click(payButton());
    expect(await screen.findAllByText('Needed for a delivery')).toHaveLength(4);
    expect(document.activeElement).toBe(screen.getByLabelText('Recipient'));
    expect(asked).toHaveLength(0);
  });

  it('puts the server’s words about the address at their fields, and the focus there', async () => {
    serve({ [CREATE]: refused(422, 'invalid', 'Not valid', { errors: [{ pointer: '/shipping_address/postal_code', detail: 'is unknown' }] }), 'GET /api/v1/products/MUG-01': { body: product() } });
    const { user } = draw(<App />, '/checkout');
    for (const [label, text] of [['Recipient', 'Ada'], ['Street and number', 'Quay 1'], ['Postal code', '0'], ['City', 'Kiel'], ['Country', 'DE']] as const) await user.type(screen.getByLabelText(label), text);
    await user.click(payButton());
    expect(await screen.findByText('Is unknown')).toBeTruthy();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText('Postal code')));
  });

  it('is calm about an empty basket', () => {
    clearBasket();
    draw(<App />, '/checkout');
    expect(screen.getByText('Your basket is empty')).toBeTruthy();
  });
});
