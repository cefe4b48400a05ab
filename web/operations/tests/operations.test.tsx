import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { DeadLetter, OperationsStatus } from '@purser/api';
import { draw } from '../../testing/render';
import { page, user as ada } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import App from '../src/app';
import { layOut } from '../src/diagram-layout';

const status: OperationsStatus = {
  at: ada.created_at, profile: 'embedded',
  services: [
    { name: 'gateway', state: 'up', requests_per_second: 12.34, instances: [] },
    { name: 'orders', state: 'degraded', missing: ['stream'], instances: [{ id: 'o1', state: 'up' }, { id: 'o2', state: 'up' }] },
    { name: 'payments', state: 'up', instances: [{ id: 'p1', state: 'up' }] },
  ],
  engines: [{ port: 'queue', adapter: 'rabbitmq', state: 'up' }, { port: 'stream', adapter: 'kafka', state: 'down' }],
  queues: [{ name: 'payment.request', depth: 3, dead: 1, published_per_second: 1.5 }],
  topics: [{ name: 'order-events', published_per_second: 2, consumers: [{ group: 'notifications', lag: 4 }, { group: 'functions', lag: 1 }] }],
  routes: [{ prefix: '/api/v1/orders', requests_per_second: 3, errors_per_second: 0, p99_ms: 4.56 }],
  outbox: [{ service: 'orders', backlog: 7 }],
  rates: { requests_per_second: 12.34, errors_per_second: 0.5 },
};
const STATUS = 'GET /api/v1/operations/status';

describe('the picture', () => {
  const { boxes, lines, height } = layOut(status);
  it('has a box for everything and none over another', () => {
    expect(boxes.map((box) => box.id)).toEqual(['gateway', 'service orders', 'service payments', 'queue payment.request', 'topic order-events', 'engine queue', 'engine stream']);
    for (const a of boxes) {
      expect(a.y).toBeGreaterThanOrEqual(0);
      expect(a.y + a.height).toBeLessThanOrEqual(height);
      for (const b of boxes) if (a !== b && a.column === b.column) expect(Math.abs(a.y - b.y)).toBeGreaterThanOrEqual(a.height);
    }
  });

  it('joins services to their queues and topics, and marks what is busy', () => {
    const ids = lines.map((line) => `${line.from.id} > ${line.to.id}`);
    expect(ids).toContain('service orders > queue payment.request');
    expect(ids).toContain('service payments > queue payment.request');
    expect(ids).toContain('service orders > topic order-events');
    expect(ids).toContain('topic order-events > engine stream');
    expect(lines.find((line) => line.to.id === 'engine stream')?.busy).toBe(true);
  });
});

describe('the page', () => {
  it('says what is missing, waiting and dead', async () => {
    serve({ [STATUS]: { body: status } });
    draw(<App />, '/operations');
    expect(await screen.findByText('degraded · 2 instances · without stream')).toBeTruthy();
    expect(screen.getByRole('row', { name: 'order-events 2/s notifications 4' })).toBeTruthy();
    expect(screen.getByRole('row', { name: 'order-events 2/s functions 1' })).toBeTruthy();
    expect(screen.getByText('down')).toBeTruthy();
    expect(screen.getByText('1.5/s in · – out')).toBeTruthy();
    expect(screen.getByText('/orders')).toBeTruthy();
    expect(screen.getAllByText('4.6 ms')).toHaveLength(1);
  });

  it('offers another try when the status cannot be had', async () => {
    serve({ [STATUS]: refused(503, 'unavailable', 'Away') });
    draw(<App />, '/operations');
    expect(await screen.findByRole('button', { name: 'Try again' })).toBeTruthy();
  });
});

describe('dead letters', () => {
  const letter: DeadLetter = { id: 'orders-1', service: 'orders', source: 'order.payment.processed', type: 'purser.payment.processed', attempts: 5, error: 'database is locked', event: { id: 'e1' }, created_at: ada.created_at };
  const LIST = 'GET /api/v1/operations/dead-letters';

  it('are read and sent again', async () => {
    const { asked, answers } = serve({ [LIST]: page(letter), 'POST /api/v1/operations/dead-letters/orders-1/retry': { status: 204 } });
    const { user } = draw(<App />, '/operations/dead-letters');
    await user.click(await screen.findByRole('button', { name: 'Show the message' }));
    expect(screen.getByText(/"id": "e1"/)).toBeTruthy();
    answers[LIST] = page();
    await user.click(screen.getByRole('button', { name: 'Send again' }));
    expect(await screen.findByText('Nothing is stuck')).toBeTruthy();
    expect(asked.some((one) => one.path.endsWith('/retry'))).toBe(true);
  });

  it('are dropped only after a question', async () => {
    const { asked } = serve({ [LIST]: page(letter), 'DELETE /api/v1/operations/dead-letters/orders-1': { status: 204 } });
    const { user } = draw(<App />, '/operations/dead-letters');
    await user.click(await screen.findByRole('button', { name: 'Drop' }));
    expect(asked.some((one) => one.method === 'DELETE')).toBe(false);
    await user.click(await screen.findByRole('button', { name: 'Drop it' }));
    await waitFor(() => expect(asked.some((one) => one.method === 'DELETE')).toBe(true));
  });
});

it('says whether the books balance', async () => {
  serve({ 'GET /api/v1/operations/ledger': { body: { balanced: false, accounts: [{ account: 'captured', currency: 'EUR', balance: 100 }] } } });
  draw(<App />, '/operations/ledger');
  expect(await screen.findByText('Out of balance')).toBeTruthy();
});
