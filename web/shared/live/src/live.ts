/**
 * Shares one socket between the tabs of a browser. The tab that holds the lock `purser-live` leads: it owns the socket
 * and passes on what it hears. When it goes, the browser gives the lock to the next, which resumes at the same `seq`.
 */
import { useSyncExternalStore } from 'react';
import { currentToken, getSession, refreshSession, subscribeSession } from '@purser/api';
import type { Connection, LiveEvent } from './messages';
import { LiveSocket } from './socket';

type Message =
  | { type: 'event'; user: string; event: LiveEvent; seq: number | null }
  | { type: 'state'; user: string; state: Connection }
  | { type: 'ask' };

const listeners = new Set<(event: LiveEvent) => void>();
const watchers = new Set<() => void>();
const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('purser-live');

let connection: Connection = 'off';
let socket: LiveSocket | null = null;
let userId: string | null = null;
let lastToken: string | null = null;
let lastSeq: number | null = null;
let release: (() => void) | null = null;

/** Calls back for every event of the signed-in user. Returns how to stop. */
export function onLive(listener: (event: LiveEvent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useLiveConnection(): Connection {
  return useSyncExternalStore((watcher) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, () => connection);
}

/** True in the tab that owns the socket: what should happen once a browser happens there. */
export function leadsLive(): boolean {
  return socket !== null;
}

/** Follows the session from now on: connects when somebody signs in, disconnects when they sign out. */
export function startLive(): () => void {
  channel?.addEventListener('message', hear);
  const stop = subscribeSession(follow);
  const wake = () => socket?.wake();
  addEventListener('online', wake);
  document.addEventListener('visibilitychange', wake);
  follow();
  return () => {
    stop();
    channel?.removeEventListener('message', hear);
    removeEventListener('online', wake);
    document.removeEventListener('visibilitychange', wake);
    leave();
  };
}

function follow(): void {
  const session = getSession();
  const next = session.status === 'signed-in' ? session.user.id : null;
  if (next !== userId) {
    leave();
    userId = next;
    lastSeq = null;
    if (next !== null) void lead(next);
  }
  if (session.status === 'signed-in' && session.token !== lastToken) {
    lastToken = session.token;
    socket?.giveToken(session.token);
  }
}

async function lead(user: string): Promise<void> {
  channel?.postMessage({ type: 'ask' } satisfies Message);
  const hold = () => new Promise<void>((done) => {
    if (userId !== user) {
      done();
      return;
    }
    release = done;
    open(user);
  });
  if (typeof navigator !== 'undefined' && navigator.locks) await navigator.locks.request(`purser-live-${user}`, hold);
  else await hold();
}

function open(user: string): void {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const mine = new LiveSocket({
    url: `${scheme}//${location.host}/api/v1/notifications/ws`,
    token: currentToken,
    renew: () => refreshSession(lastToken ?? undefined),
    onEvent: (event) => {
      tell(event);
      channel?.postMessage({ type: 'event', user, event, seq: mine.lastSeq } satisfies Message);
    },
    onState: (state) => {
      setConnection(state);
      channel?.postMessage({ type: 'state', user, state } satisfies Message);
    },
  }, lastSeq);
  socket = mine;
  mine.start();
}

function leave(): void {
  socket?.stop();
  socket = null;
  release?.();
  release = null;
  setConnection('off');
}

function hear(message: MessageEvent<Message>): void {
  const data = message.data;
  if (data.type === 'ask') {
    if (socket !== null && userId !== null) {
      channel?.postMessage({ type: 'state', user: userId, state: connection } satisfies Message);
    }
    return;
  }
  if (socket !== null || data.user !== userId) return;
  if (data.type === 'state') setConnection(data.state);
  if (data.type === 'event') {
    lastSeq = data.seq;
    tell(data.event);
  }
}

function tell(event: LiveEvent): void {
  for (const listener of listeners) listener(event);
}

function setConnection(next: Connection): void {
  if (connection === next) return;
  connection = next;
  for (const watcher of watchers) watcher();
}
