import { beforeEach, describe, expect, it, vi } from 'vitest';
import { refused, serve } from '../../../testing/server';
import { tokens } from '../../../testing/data';

type Api = typeof import('@purser/api');
let api: Api;

beforeEach(async () => {
  vi.resetModules();
  vi.stubGlobal('BroadcastChannel', undefined); // else a test's session would be offered to the next
  api = await import('@purser/api');
});

const REFRESH = 'POST /api/v1/auth/refresh';
const ME = 'GET /api/v1/users/me';
const getMe = () => api.call(api.api.GET('/api/v1/users/me'));

describe('session', () => {
  it('asks nothing of the server where nobody ever signed in', async () => {
    const { asked } = serve({});
    await api.startSession();
    expect(api.getSession()).toEqual({ status: 'signed-out', reason: 'none' });
    expect(asked).toHaveLength(0);
  });

  it('comes back by the cookie, in cookie mode', async () => {
    localStorage.setItem('purser.signed-in', '1');
    const { asked } = serve({ [REFRESH]: { body: tokens } });
    await api.startSession();
    expect(api.getSession()).toMatchObject({ status: 'signed-in', user: tokens.user });
    expect(asked[0]?.headers.get('X-Session-Mode')).toBe('cookie');
    expect(asked[0]?.body).toEqual({});
  });

  it('keeps no token in storage', async () => {
    serve({ 'POST /api/v1/auth/login': { body: tokens } });
    await api.signIn('a@b.c', 'secret');
    expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain(tokens.access_token);
  });

  it('renews once for many calls that meet a 401, and repeats them', async () => {
    let refreshes = 0;
    const { asked } = serve({
      'POST /api/v1/auth/login': { body: tokens },
      [REFRESH]: () => ({ body: { ...tokens, access_token: `token-${(refreshes += 1) + 1}` } }),
      [ME]: ({ headers }) => (headers.get('Authorization') === 'Bearer token-2' ? { body: tokens.user } : refused(401, 'unauthorized', 'Not signed in')),
    });
    await api.signIn('a@b.c', 'secret');
    const answers = await Promise.all([getMe(), getMe(), getMe()]);
    expect(answers.map((one) => one.email)).toEqual(Array(3).fill(tokens.user.email));
    expect(refreshes).toBe(1);
    expect(asked.filter((one) => one.path.endsWith('/me'))).toHaveLength(6);
  });

  it('ends when the server says the session is over', async () => {
    serve({ 'POST /api/v1/auth/login': { body: tokens }, [REFRESH]: refused(401, 'unauthorized', 'Over'), [ME]: refused(401, 'unauthorized', 'Over') });
    await api.signIn('a@b.c', 'secret');
    await expect(getMe()).rejects.toMatchObject({ status: 401 });
    expect(api.getSession()).toEqual({ status: 'signed-out', reason: 'ended' });
  });

  it('survives a server that is away during a renewal', async () => {
    const table = serve({ 'POST /api/v1/auth/login': { body: { ...tokens, expires_in: 1 } }, [REFRESH]: new TypeError('failed to fetch') });
    await api.signIn('a@b.c', 'secret');
    await expect(getMe()).rejects.toMatchObject({ kind: 'network' });
    expect(api.getSession().status).toBe('signed-in');
    table.answers[REFRESH] = { body: { ...tokens, access_token: 'token-9' } };
    table.answers[ME] = { body: tokens.user };
    await expect(getMe()).resolves.toMatchObject({ name: 'Ada' });
  });

  it.each([
    ['out of reach', new TypeError('failed to fetch')], ['starting', refused(503, 'unavailable', 'Away')], ['broken', refused(500, 'internal', 'Bug')],
  ])('waits at the start for a server that is %s, and signs nobody out', async (_, answer) => {
    localStorage.setItem('purser.signed-in', '1');
    const table = serve({ [REFRESH]: answer });
    const started = api.startSession();
    await vi.waitFor(() => expect(api.getSession()).toEqual({ status: 'starting', away: true }), 60_000);
    expect(localStorage.getItem('purser.signed-in')).toBe('1');
    table.answers[REFRESH] = { body: tokens };
    api.retrySession();
    await started;
    expect(api.getSession()).toMatchObject({ status: 'signed-in', user: tokens.user });
  });

  it('is over at the start only by the server’s word', async () => {
    localStorage.setItem('purser.signed-in', '1');
    serve({ [REFRESH]: refused(401, 'unauthorized', 'Over') });
    await api.startSession();
    expect(api.getSession()).toEqual({ status: 'signed-out', reason: 'ended' });
  });

  it('signs out here even if the server is away', async () => {
    serve({ 'POST /api/v1/auth/login': { body: tokens }, 'POST /api/v1/auth/logout': new TypeError('failed to fetch') });
    await api.signIn('a@b.c', 'secret');
    await api.signOut();
    expect(api.getSession()).toEqual({ status: 'signed-out', reason: 'chosen' });
  });
});
