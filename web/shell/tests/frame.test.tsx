import { act, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { endSession, signIn, startSession } from '@purser/api';
import { QueryClient } from '@purser/ui';
import { draw } from '../../testing/render';
import { notification, tokens, user as ada } from '../../testing/data';
import { serve } from '../../testing/server';
import { Frame } from '../src/frame';
import { applyEvent } from '../src/live-cache';
import { loadRemoteModule } from '../src/manifest';
import { RemotePage } from '../src/remote';

const runtime = vi.hoisted(() => ({ loadRemote: vi.fn(), registerRemotes: vi.fn() }));
vi.mock('@module-federation/runtime', () => runtime);

const MANIFEST = { 'GET /manifest.json': { body: { remotes: Object.fromEntries(['authentication', 'orders', 'notifications', 'functions', 'operations'].map((name) => [name, { entry: `/${name}/entry.js` }])) } } };
const login = (role: 'user' | 'admin') => ({ 'POST /api/v1/auth/login': { body: { ...tokens, user: { ...ada, role } } } });

beforeEach(() => {
  runtime.loadRemote.mockReset();
  runtime.loadRemote.mockImplementation(async (id: string) => ({ default: () => <p>page of {id}</p> }));
});
afterEach(() => endSession('chosen'));

describe('the frame', () => {
  it('keeps going when a micro front end cannot be had, and tries again when asked', async () => {
    serve({ ...MANIFEST });
    await startSession();
    runtime.loadRemote.mockRejectedValue(new Error('404'));
    const { user } = draw(<Frame />, '/');
    expect(await screen.findByText('The shop can’t be shown right now')).toBeTruthy();
    expect(screen.getByRole('link', { name: /Purser/ })).toBeTruthy();
    runtime.loadRemote.mockResolvedValue({ default: () => <p>the catalogue</p> });
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('the catalogue')).toBeTruthy();
  });

  it('sends strangers to the sign-in page and remembers where they wanted to go', async () => {
    serve({ ...MANIFEST });
    await startSession();
    endSession('ended');
    draw(<Frame />, '/checkout?x=1');
    await waitFor(() => expect(screen.getByTestId('where').textContent).toBe('/sign-in?next=%2Fcheckout%3Fx%3D1'));
  });

  it('keeps administration for administrators', async () => {
    serve({ ...MANIFEST, ...login('user') });
    await signIn('a@b.co', 'x');
    draw(<Frame />, '/operations');
    expect(screen.getByText('This page is for administrators')).toBeTruthy();
    expect(screen.queryByRole('link', { name: 'Operations' })).toBeNull();
  });

  it('shows administrators their pages', async () => {
    serve({ ...MANIFEST, ...login('admin') });
    await signIn('a@b.co', 'x');
    draw(<Frame />, '/operations');
    expect(await screen.findByText('page of operations/app')).toBeTruthy();
    expect(screen.getAllByRole('link', { name: 'Operations' }).length).toBeGreaterThan(0);
  });

  it('says that an address leads nowhere', () => {
    serve({ ...MANIFEST });
    draw(<Frame />, '/no/such/page');
    expect(screen.getByText('There is no such page')).toBeTruthy();
  });

  it('says so when the browser is offline', async () => {
    serve({ ...MANIFEST });
    draw(<Frame />, '/');
    const online = vi.spyOn(navigator, 'onLine', 'get').mockReturnValue(false);
    act(() => void window.dispatchEvent(new Event('offline')));
    expect(await screen.findByText(/You are offline/)).toBeTruthy();
    online.mockRestore();
  });
});

describe('micro front ends', () => {
  it('that break while they draw leave the rest usable', async () => {
    serve({ ...MANIFEST });
    const noise = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const Broken = () => {
      throw new Error('bug');
    };
    runtime.loadRemote.mockResolvedValue({ default: Broken });
    draw(<RemotePage name="functions" title="Functions" />);
    expect(await screen.findByText('Functions can’t be shown right now')).toBeTruthy();
    noise.mockRestore();
  });

  it('of a deployment that is gone are taken from the one that is there', async () => {
    let entry = '/late/entry-1.js';
    serve({ 'GET /manifest.json': () => ({ body: { remotes: { late: { entry } } } }) });
    const noise = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const Gone = () => {
      entry = '/late/entry-2.js';
      throw new TypeError('Failed to fetch dynamically imported module');
    };
    runtime.loadRemote.mockResolvedValueOnce({ default: Gone }).mockResolvedValue({ default: () => <p>the new one</p> });
    draw(<RemotePage name="late" title="Late" />);
    expect(await screen.findByText('the new one')).toBeTruthy();
    expect(runtime.registerRemotes.mock.lastCall).toEqual([[{ name: 'late', entry: '/late/entry-2.js', type: 'module' }], { force: true }]);
    noise.mockRestore();
  });

  it('that moved since the manifest was read are found', async () => {
    const remotes = { moved: { entry: '/moved/entry-1.js' } };
    serve({ 'GET /manifest.json': () => ({ body: { remotes } }) });
    await expect(loadRemoteModule('unknown')).rejects.toThrow(); // forgets what other tests have read
    runtime.loadRemote.mockImplementationOnce(async () => {
      remotes.moved = { entry: '/moved/entry-2.js' };
      throw new Error('404');
    });
    expect(await loadRemoteModule('moved')).toHaveProperty('default');
    expect(runtime.registerRemotes.mock.lastCall?.[0]).toMatchObject([{ entry: '/moved/entry-2.js' }]);
  });

  it('come by themselves once they can be had', async () => {
    serve({ 'GET /manifest.json': { body: { remotes: { back: { entry: '/back/entry.js' } } } } });
    runtime.loadRemote.mockRejectedValueOnce(new Error('404'));
    draw(<RemotePage name="back" title="Back" />);
    expect(await screen.findByText('Back can’t be shown right now')).toBeTruthy();
    expect(await screen.findByText('page of back/app')).toBeTruthy();
  });

  it('that are not in the manifest are an error, not a hang', async () => {
    serve({ 'GET /manifest.json': { body: { remotes: {} } } });
    await expect(loadRemoteModule('unknown')).rejects.toThrow('unknown');
  });
});

describe('live events', () => {
  it('make stale what they concern', () => {
    const client = new QueryClient();
    const stale = vi.spyOn(client, 'invalidateQueries');
    applyEvent(client, { type: 'unread', count: 4 });
    expect(client.getQueryData(['unread'])).toBe(4);
    applyEvent(client, { type: 'notification', notification: notification({ type: 'user.registered' }) });
    expect(stale).not.toHaveBeenCalledWith({ queryKey: ['orders'] });
    applyEvent(client, { type: 'notification', notification: notification({ type: 'order.paid' }) });
    expect(stale).toHaveBeenCalledWith({ queryKey: ['orders'] });
  });
});
