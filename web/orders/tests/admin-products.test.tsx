import { screen, waitFor } from '@testing-library/react';
import { expect, it } from 'vitest';
import { draw } from '../../testing/render';
import { page, product } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import App from '../src/app';

it('changes a price and sends that alone', async () => {
  const { asked } = serve({ 'GET /api/v1/products': page(product()), 'PATCH /api/v1/products/MUG-01': { body: product({ unit_price: 1600 }) } });
  const { user } = draw(<App />, '/admin/products');
  await user.click(await screen.findByRole('button', { name: 'Change Stoneware mug' }));
  const price = await screen.findByLabelText('Price');
  await user.clear(price);
  await user.type(price, '16');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  await waitFor(() => expect(asked.find((one) => one.method === 'PATCH')?.body).toEqual({ unit_price: 1600 }));
});

it('shows a taken sku at its field', async () => {
  serve({ 'GET /api/v1/products': page(), 'POST /api/v1/products': refused(409, 'conflict', 'Conflict', { errors: [{ pointer: '/sku', detail: 'is taken' }] }) });
  const { user } = draw(<App />, '/admin/products');
  await user.click(screen.getByRole('button', { name: 'Add a product' }));
  for (const [label, text] of [['Sku', 'MUG-01'], ['Name', 'Mug'], ['Price', '14,50']] as const) await user.type(await screen.findByLabelText(label), text);
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Is taken')).toBeTruthy();
  await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText('Sku')));
  expect((screen.getByLabelText('Price') as HTMLInputElement).value).toBe('14,50');
});
