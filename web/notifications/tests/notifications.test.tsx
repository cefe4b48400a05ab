import { act, screen, waitFor } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { LiveEvent } from '@purser/live';
import { draw } from '../../testing/render';
import { notification, ORDER_ID, page } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import App, { HeaderItem } from '../src/app';
import { linkOf, lookOf } from '../src/rules';

const heard = vi.hoisted(() => new Set<(event: LiveEvent) => void>());
vi.mock('@purser/live', () => ({
  onLive: (listener: (event: LiveEvent) => void) => {
    heard.add(listener);
    return () => heard.delete(listener);
  },
  useLiveConnection: () => 'open',
}));
const hear = (event: LiveEvent) => act(() => heard.forEach((listener) => listener(event)));

const LIST = 'GET /api/v1/notifications';
const COUNT = 'GET /api/v1/notifications/unread-count';
beforeEach(() => heard.clear());

describe('the history', () => {
  it('marks as read at once, and tells the server', async () => {
    const { asked } = serve({ [LIST]: page(notification()), [COUNT]: { body: { count: 1 } }, 'POST /api/v1/notifications/n1/read': { status: 204 } });
    const { user } = draw(<App />);
    await user.click(await screen.findByRole('button', { name: 'Mark as read' }));
    expect(screen.queryByRole('button', { name: 'Mark as read' })).toBeNull();
    await waitFor(() => expect(asked.some((one) => one.path.endsWith('/read'))).toBe(true));
  });

  it('takes the mark back when the server refuses', async () => {
    serve({ [LIST]: page(notification()), [COUNT]: { body: { count: 1 } }, 'POST /api/v1/notifications/n1/read': refused(503, 'unavailable', 'Away') });
    const { user } = draw(<App />);
    await user.click(await screen.findByRole('button', { name: 'Mark as read' }));
    expect(await screen.findByRole('button', { name: 'Mark as read' })).toBeTruthy();
  });

  it('shows the unread alone', async () => {
    const { asked } = serve({ [LIST]: page(), [COUNT]: { body: { count: 0 } } });
    const { user } = draw(<App />);
    expect(await screen.findByText('Nothing yet')).toBeTruthy();
    await user.click(screen.getByLabelText('Unread'));
    expect(await screen.findByText('All read')).toBeTruthy();
    expect(asked.some((one) => one.search.get('unread') === 'true')).toBe(true);
  });

  it('offers another try when it cannot be had', async () => {
    serve({ [LIST]: refused(500, 'internal', 'x') });
    draw(<App />);
    expect(await screen.findByRole('button', { name: 'Try again' })).toBeTruthy();
  });
});

describe('the bell', () => {
  it('shows the number and the latest', async () => {
    serve({ [LIST]: page(notification()), [COUNT]: { body: { count: 3 } } });
    const { user } = draw(<HeaderItem />);
    await user.click(await screen.findByRole('button', { name: 'Notifications, 3 unread' }));
    const link = await screen.findByRole('link', { name: 'Your order is paid' });
    expect(link.getAttribute('href')).toBe(`/orders/${ORDER_ID}`);
  });

  it('shows what happens now, and one line for a wave', async () => {
    serve({ [COUNT]: { body: { count: 0 } } });
    draw(<HeaderItem />);
    hear({ type: 'notification', notification: notification({ id: 'x', title: 'Shipped!' }) });
    expect(await screen.findByText('Shipped!')).toBeTruthy();
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now()); // a wave even where each event takes seconds
    for (let n = 0; n < 8; n += 1) hear({ type: 'notification', notification: notification({ id: `w${n}`, seq: n + 2, title: `Wave ${n}` }) });
    clock.mockRestore();
    expect(await screen.findByText('More is happening')).toBeTruthy();
    expect(screen.queryByText('Wave 7')).toBeNull();
  });

  it('follows what another device has read', async () => {
    serve({ [LIST]: page(notification(), notification({ id: 'n2', seq: 2 })), [COUNT]: { body: { count: 2 } } });
    const { user } = draw(<HeaderItem />);
    await user.click(await screen.findByRole('button', { name: 'Notifications, 2 unread' }));
    await waitFor(() => expect(screen.getAllByRole('button', { name: 'Mark as read' })).toHaveLength(2));
    hear({ type: 'read', ids: ['n2'] });
    await waitFor(() => expect(screen.getAllByRole('button', { name: 'Mark as read' })).toHaveLength(1));
    hear({ type: 'read_all', up_to: 1 });
    await waitFor(() => expect(screen.queryByRole('button', { name: 'Mark as read' })).toBeNull());
  });
});

describe('rules', () => {
  it('leads only to what is an order', () => {
    expect(linkOf({ data: { order_id: ORDER_ID } })).toBe(`/orders/${ORDER_ID}`);
    expect(linkOf({ data: { order_id: '../admin' } })).toBeNull();
    expect(linkOf({ data: null })).toBeNull();
  });

  it('has a look for every type', () => {
    expect(lookOf('order.payment_failed')).toEqual({ icon: 'alert', color: 'red' });
    expect(lookOf('order.shipped').icon).toBe('truck');
    expect(lookOf('something.else').icon).toBe('bell');
  });
});
