import { screen, within } from '@testing-library/react';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endSession, signIn } from '@purser/api';
import type { User } from '@purser/api';
import { draw } from '../../testing/render';
import { page, tokens, user as ada } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import App from '../src/app';

const bob: User = { ...ada, id: '01932f50-02ab-7c11-8a3e-9d1b2c3d4e5f', name: 'Bob', email: 'bob@example.com', role: 'admin' };
const LIST = 'GET /api/v1/users';

async function open(at: string, answers: Parameters<typeof serve>[0]) {
  const table = serve({ 'POST /api/v1/auth/login': { body: tokens }, ...answers });
  await signIn('a@b.co', 'secret');
  return { ...draw(<App />, at), ...table };
}

beforeEach(() => endSession('chosen'));
afterEach(() => endSession('chosen'));

it('lists who has an account, and changes a role after asking', async () => {
  const { user, asked } = await open('/admin/users', { [LIST]: page(ada, bob), [`PATCH /api/v1/users/${bob.id}`]: { body: { ...bob, role: 'user' } } });
  await user.click(await screen.findByRole('button', { name: 'Make a user: Bob' }));
  const dialog = await screen.findByRole('dialog');
  expect(within(dialog).getByText(/signed out everywhere/)).toBeTruthy();
  await user.click(within(dialog).getByRole('button', { name: 'Make a user' }));
  await expect.poll(() => asked.find((one) => one.method === 'PATCH')?.body).toEqual({ role: 'user' });
});

it('offers nobody to take their own rights away', async () => {
  await open('/admin/users', { [LIST]: page(ada) });
  expect(await screen.findByText('This is you')).toBeTruthy();
  expect(screen.queryByRole('button', { name: /Make/ })).toBeNull();
});

it('looks one up by id, and says what is no id', async () => {
  const { user } = await open('/admin/users', { [LIST]: page(ada), [`GET /api/v1/users/${bob.id}`]: { body: bob } });
  const field = await screen.findByLabelText('A user’s id');
  await user.type(field, 'bob{Enter}');
  expect(await screen.findByText('This is not a user’s id')).toBeTruthy();
  await user.clear(field);
  await user.type(field, `${bob.id}{Enter}`);
  expect(await screen.findByRole('heading', { name: 'Bob' })).toBeTruthy();
  expect(screen.getByText(bob.id)).toBeTruthy();
});

it('says that there is no such user, and offers another try when there is no answer', async () => {
  await open(`/admin/users/${bob.id}`, {});
  expect(await screen.findByText('There is no such user')).toBeTruthy();
  const { user, answers } = await open('/admin/users', { [LIST]: refused(503, 'unavailable', 'Away') });
  const again = await screen.findByRole('button', { name: 'Try again' });
  answers[LIST] = page(bob);
  await user.click(again);
  expect(await screen.findByText('bob@example.com')).toBeTruthy();
});
