import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveSocket } from '@purser/live';
import type { Connection, LiveEvent } from '@purser/live';
import { notification } from '../../../testing/data';

class FakeSocket {
  static made: FakeSocket[] = [];
  static readonly OPEN = 1;
  readyState = 1;
  sent: string[] = [];
  onmessage: ((message: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor(readonly url: string, readonly protocols: string[]) {
    FakeSocket.made.push(this);
  }
  send(text: string) { this.sent.push(text); }
  close() { this.onclose?.({ code: 1000 }); }
  hear(message: object) { this.onmessage?.({ data: JSON.stringify(message) }); }
  drop(code: number) { this.onclose?.({ code }); }
}

const last = () => FakeSocket.made.at(-1)!;
let events: LiveEvent[];
let states: Connection[];

function make(token: () => Promise<string | null> = async () => 'jwt', renew = async () => null as unknown) {
  return new LiveSocket({ url: 'ws://x/ws', token, renew, onEvent: (event) => events.push(event), onState: (state) => states.push(state), random: () => 1 });
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.made = [];
  events = [];
  states = [];
  vi.stubGlobal('WebSocket', FakeSocket);
});
afterEach(() => vi.useRealTimers());

async function started(socket = make()) {
  socket.start();
  await vi.advanceTimersByTimeAsync(0);
  last().hear({ type: 'hello', last_seq: 4, unread: 1 });
  return socket;
}

describe('LiveSocket', () => {
  it('brings its token as a sub-protocol, never in the address', async () => {
    await started();
    expect(last().protocols).toEqual(['purser.v1', 'bearer.jwt']);
    expect(last().url).toBe('ws://x/ws');
    expect(states).toEqual(['connecting', 'open']);
  });

  it('comes back with growing pauses, after the last it saw', async () => {
    await started();
    last().hear({ type: 'notification', notification: notification({ seq: 5 }) });
    for (const pause of [500, 1000, 2000]) {
      last().drop(1006);
      await vi.advanceTimersByTimeAsync(pause - 1);
      const before = FakeSocket.made.length;
      await vi.advanceTimersByTimeAsync(1);
      expect(FakeSocket.made.length).toBe(before + 1);
      expect(last().url).toBe('ws://x/ws?after=5');
    }
  });

  it('shows nothing twice', async () => {
    await started();
    last().hear({ type: 'notification', notification: notification({ seq: 5 }) });
    last().hear({ type: 'notification', notification: notification({ seq: 5 }) });
    last().hear({ type: 'notification', notification: notification({ seq: 3 }) });
    expect(events.filter((event) => event.type === 'notification')).toHaveLength(1);
  });

  it('renews the token when it no longer counts, and goes on', async () => {
    const renew = vi.fn(async () => 'new');
    await started(make(async () => 'jwt', renew));
    last().drop(4401);
    await vi.advanceTimersByTimeAsync(500);
    expect(renew).toHaveBeenCalledOnce();
    expect(FakeSocket.made).toHaveLength(2);
  });

  it('tells an open socket of a new token', async () => {
    const socket = await started();
    socket.giveToken('second');
    expect(JSON.parse(last().sent[0]!)).toEqual({ type: 'token', token: 'second' });
  });

  it('keeps trying while the token cannot be had, and stops when told', async () => {
    const token = vi.fn().mockRejectedValueOnce(new Error('away')).mockResolvedValue('jwt');
    const socket = make(token);
    socket.start();
    await vi.advanceTimersByTimeAsync(500);
    expect(FakeSocket.made).toHaveLength(1);
    socket.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSocket.made).toHaveLength(1);
    expect(states.at(-1)).toBe('off');
  });

  it('tries at once when woken', async () => {
    const socket = await started();
    last().drop(1006);
    socket.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(FakeSocket.made).toHaveLength(2);
  });

  it('ignores what it does not know', async () => {
    await started();
    last().hear({ type: 'something-new' });
    last().onmessage?.({ data: 'not json' });
    last().onmessage?.({ data: new ArrayBuffer(2) });
    expect(events.map((event) => event.type)).toEqual(['hello']);
  });
});
