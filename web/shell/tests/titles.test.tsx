import { cleanup, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { endSession, signIn } from '@purser/api';
import { Link, Page, PageHeader, useParams } from '@purser/ui';
import { draw } from '../../testing/render';
import { tokens, user as ada } from '../../testing/data';
import { serve } from '../../testing/server';
import { Frame } from '../src/frame';

const runtime = vi.hoisted(() => ({ loadRemote: vi.fn(), registerRemotes: vi.fn() }));
vi.mock('@module-federation/runtime', () => runtime);

/** A page with a title of its own at a product's address, and with none elsewhere. */
function Shop() {
  const sku = /products\/(\w+)/.exec(useParams()['*'] ?? '')?.[1];
  return <Page>{sku !== undefined && <PageHeader title="A mug" />}<Link to="/products/a">a</Link><Link to="/products/b">b</Link><Link to="/basket">basket</Link></Page>;
}

beforeEach(async () => {
  runtime.loadRemote.mockImplementation(async () => ({ default: Shop }));
  const remotes = Object.fromEntries(['authentication', 'orders', 'notifications', 'functions', 'operations'].map((name) => [name, { entry: `/${name}/entry.js` }]));
  serve({ 'GET /manifest.json': { body: { remotes } }, 'POST /api/v1/auth/login': { body: { ...tokens, user: { ...ada, role: 'admin' } } } });
  await signIn('a@b.co', 'x');
});
afterEach(() => endSession('chosen'));

it('has a page’s own title as long as one is there', async () => {
  const { user } = draw(<Frame />, '/products/a');
  await waitFor(() => expect(document.title).toBe('A mug · Purser'));
  await user.click(await screen.findByRole('link', { name: 'b' }));
  await waitFor(() => expect(screen.getByTestId('where').textContent).toBe('/products/b'));
  expect(document.title).toBe('A mug · Purser');
  await user.click(screen.getByRole('link', { name: 'basket' }));
  await waitFor(() => expect(document.title).toBe('Basket · Purser'));
  await user.click(screen.getByRole('link', { name: 'a' }));
  await waitFor(() => expect(document.title).toBe('A mug · Purser'));
});

it('is there before the page is, and where there is none', async () => {
  runtime.loadRemote.mockReturnValue(new Promise(() => undefined));
  draw(<Frame />, '/operations');
  await waitFor(() => expect(document.title).toBe('Operations · Purser'));
  cleanup();
  draw(<Frame />, '/nowhere');
  await waitFor(() => expect(document.title).toBe('There is no such page · Purser'));
});
