import { screen } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { draw } from '../../testing/render';
import { page, product } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import App, { HeaderItem } from '../src/app';
import { clearBasket } from '../src/basket';

const PRODUCTS = 'GET /api/v1/products';
beforeEach(clearBasket);

describe('the catalogue', () => {
  it('waits with a skeleton, then shows products and puts them into the basket', async () => {
    serve({ [PRODUCTS]: page(product(), product({ sku: 'TEA', name: 'Tea', stock: 0 })) });
    const { user } = draw(<><HeaderItem /><App /></>);
    expect(screen.getByLabelText('Loading')).toBeTruthy();
    await user.click(await screen.findByRole('button', { name: /Add Stoneware mug/ }));
    expect(screen.getByRole('link', { name: 'Basket, 1 item' })).toBeTruthy();
    expect(screen.getByRole('button', { name: /Add Tea/ })).toHaveProperty('disabled', true);
  });

  it('says so when it is empty', async () => {
    serve({ [PRODUCTS]: page() });
    draw(<App />);
    expect(await screen.findByText('Nothing on the shelves yet')).toBeTruthy();
  });

  it('offers another try when it cannot be had', async () => {
    const { answers } = serve({ [PRODUCTS]: refused(503, 'unavailable', 'Away') });
    const { user } = draw(<App />);
    const again = await screen.findByRole('button', { name: 'Try again' });
    answers[PRODUCTS] = page(product());
    await user.click(again);
    expect(await screen.findByText('Stoneware mug')).toBeTruthy();
  });

  it('asks for more pages with the cursor', async () => {
    const { asked } = serve({ [PRODUCTS]: ({ search }) => ({ body: search.get('cursor') === 'c2' ? { data: [product({ sku: 'B', name: 'Second' })], next_cursor: null } : { data: [product()], next_cursor: 'c2' } }) });
    const { user } = draw(<App />);
    await user.click(await screen.findByRole('button', { name: 'Show more' }));
    expect(await screen.findByText('Second')).toBeTruthy();
    expect(asked).toHaveLength(2);
    expect(screen.queryByRole('button', { name: 'Show more' })).toBeNull();
  });

  it('knows a product that does not exist', async () => {
    serve({});
    draw(<App />, '/products/NOPE');
    expect(await screen.findByText('There is no such product')).toBeTruthy();
  });
});
