import { screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endSession, signIn } from '@purser/api';
import { draw } from '../../testing/render';
import { page, tokens, user as ada } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import App from '../src/app';

const SESSIONS = 'GET /api/v1/auth/sessions';
const session = (id: string, current: boolean) => ({ id, created_at: ada.created_at, last_used_at: ada.created_at, user_agent: 'Mozilla/5.0 (X11; Linux) Firefox/140.0', ip_address: '192.0.2.7', current });

async function open(answers: Parameters<typeof serve>[0]) {
  const table = serve({ 'POST /api/v1/auth/login': { body: tokens }, [SESSIONS]: page(session('s1', true), session('s2', false)), ...answers });
  await signIn('a@b.co', 'secret');
  return { ...draw(<App />, '/account'), ...table };
}

beforeEach(() => endSession('chosen'));
afterEach(() => endSession('chosen'));

it('ends another session, and offers not to end this one', async () => {
  const { user, asked } = await open({ 'DELETE /api/v1/auth/sessions/s2': { status: 204 } });
  const buttons = await screen.findAllByRole('button', { name: 'End' });
  expect(buttons).toHaveLength(1);
  await user.click(buttons[0]!);
  await expect.poll(() => asked.filter((one) => one.method === 'DELETE').length).toBe(1);
});

it('saves the profile and says so', async () => {
  const { user, asked } = await open({ 'PATCH /api/v1/users/me': { body: { ...ada, name: 'Ada King' } } });
  const name = screen.getByLabelText(/^Name/);
  await user.clear(name);
  await user.type(name, 'Ada King');
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Your profile is up to date.')).toBeTruthy();
  expect(asked.find((one) => one.method === 'PATCH')?.body).toEqual({ name: 'Ada King' });
});

it('puts a wrong current password at its field', async () => {
  const { user } = await open({ 'PUT /api/v1/auth/password': refused(403, 'wrong-password', 'Wrong password') });
  await user.type(screen.getByLabelText(/^Current password/), 'wrong one');
  await user.type(screen.getByLabelText(/^New password/), 'a finer sentence');
  await user.click(screen.getByRole('button', { name: 'Change password' }));
  expect(await screen.findByText('This is not your current password')).toBeTruthy();
  await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText(/^Current password/)));
});

it('shows an error in place of the sessions, with another try', async () => {
  const { answers, user } = await open({ [SESSIONS]: refused(503, 'unavailable', 'Away', {}, { 'Retry-After': '2' }) });
  await user.click(await screen.findByRole('button', { name: 'Try again' }));
  answers[SESSIONS] = page(session('s1', true));
  await user.click(await screen.findByRole('button', { name: 'Try again' }));
  expect(await screen.findByText('This device')).toBeTruthy();
});
