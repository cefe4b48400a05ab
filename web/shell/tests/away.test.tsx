import { screen, waitFor } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { api, call, startSession } from '@purser/api';
import { useQuery } from '@purser/ui';
import { draw } from '../../testing/render';
import { tokens, user as ada } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import { useRecovery } from '../src/away';
import { Frame } from '../src/frame';

const runtime = vi.hoisted(() => ({ loadRemote: vi.fn(), registerRemotes: vi.fn() }));
vi.mock('@module-federation/runtime', () => runtime);

const REFRESH = 'POST /api/v1/auth/refresh';
const ME = 'GET /api/v1/users/me';
const READY = 'GET /health/ready';

it('a page that is opened while the server is away waits for it where it is', async () => {
  runtime.loadRemote.mockImplementation(async (id: string) => ({ default: () => <p>page of {id}</p> }));
  localStorage.setItem('purser.signed-in', '1');
  const { answers } = serve({ [REFRESH]: new TypeError('failed to fetch'), 'GET /manifest.json': { body: { remotes: { orders: { entry: '/o.js' } } } } });
  const started = startSession();
  const { user } = draw(<Frame />, '/orders');
  const again = await screen.findByRole('button', { name: 'Try now' });
  expect(screen.getByTestId('where').textContent).toBe('/orders');
  answers[REFRESH] = { body: tokens };
  await user.click(again);
  expect(await screen.findByText('page of orders/app')).toBeTruthy();
  await started;
});

function Name() {
  useRecovery();
  const me = useQuery({ queryKey: ['me'], queryFn: () => call(api.GET('/api/v1/users/me')) });
  return <p>{me.data?.name ?? me.status}</p>;
}

it('a page that gave up goes on by itself, and asks for nothing before the server is ready', async () => {
  const { asked, answers } = serve({ [ME]: refused(503, 'unavailable', 'Away'), [READY]: refused(503, 'unavailable', 'Away') });
  draw(<Name />);
  await screen.findByText('error');
  await waitFor(() => expect(asked.some((one) => one.path === '/health/ready')).toBe(true));
  expect(asked.filter((one) => one.path === '/api/v1/users/me')).toHaveLength(1);
  answers[ME] = { body: ada };
  answers[READY] = { status: 200, body: {} };
  await screen.findByText('Ada');
});

it('what the server refuses is not asked for again', async () => {
  const { asked } = serve({ [ME]: refused(403, 'forbidden', 'No'), [READY]: { body: {} } });
  draw(<Name />);
  await screen.findByText('error');
  expect(asked.some((one) => one.path === '/health/ready')).toBe(false);
});
