/**
 * Who is signed in. The one place that knows tokens: the access token lives in memory, the refresh token in a cookie
 * that scripts cannot read. Tabs tell each other about changes, and one of them at a time refreshes.
 */
import { useSyncExternalStore } from 'react';
import type { TokenAnswer, User } from './models';
import { ApiError, errorFromResponse, retryDelayMs } from './problems';

export type Session =
  /** `away`: the server cannot be asked who this is; we go on trying. */
  | { status: 'starting'; away: boolean }
  | { status: 'signed-out'; reason: 'none' | 'chosen' | 'ended' }
  | { status: 'signed-in'; user: User; token: string; expiresAt: number };

type Message = { type: 'adopt'; session: Session } | { type: 'end'; reason: 'chosen' | 'ended' } | { type: 'ask' };

const FLAG = 'purser.signed-in';
const RENEW_BEFORE_MS = 30_000;
const TIMEOUT_MS = 30_000;

let session: Session = { status: 'starting', away: false };
const listeners = new Set<() => void>();
const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('purser-session');

channel?.addEventListener('message', (event: MessageEvent<Message>) => {
  const message = event.data;
  if (message.type === 'ask' && session.status === 'signed-in') post({ type: 'adopt', session });
  if (message.type === 'adopt') set(message.session);
  if (message.type === 'end' && session.status === 'signed-in') set({ status: 'signed-out', reason: message.reason });
});

function post(message: Message): void {
  channel?.postMessage(message);
}

function set(next: Session): void {
  session = next;
  for (const listener of listeners) listener();
}

export function getSession(): Session {
  return session;
}

export function subscribeSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useSession(): Session {
  return useSyncExternalStore(subscribeSession, getSession);
}

/** The signed-in user, or null. */
export function useUser(): User | null {
  const current = useSession();
  return current.status === 'signed-in' ? current.user : null;
}

/**
 * Finds out who is signed in: from another tab, else by the cookie. Only the server's word signs somebody out, so while
 * it cannot be had this waits and asks again. Never throws.
 */
export async function startSession(): Promise<void> {
  if (remembered() === false) {
    set({ status: 'signed-out', reason: 'none' });
    return;
  }
  post({ type: 'ask' });
  await new Promise((resolve) => setTimeout(resolve, 60));
  for (let failures = 0; session.status === 'starting'; failures += 1) {
    try {
      await refreshSession();
    } catch (error) {
      if (session.status === 'starting') set({ status: 'starting', away: true });
      await pause(retryDelayMs(failures, error));
    }
  }
}

let wake: () => void = () => undefined;

/** Ends a wait for the server, to ask it now. */
export function retrySession(): void {
  wake();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      removeEventListener('online', done);
      resolve();
    }
    addEventListener('online', done);
    wake = done;
  });
}

export async function signIn(email: string, password: string): Promise<User> {
  return adopt(await postAuth('/api/v1/auth/login', { email, password }));
}

export async function register(email: string, password: string, name: string): Promise<User> {
  return adopt(await postAuth('/api/v1/auth/register', { email, password, name }));
}

/** Ends this session at the server and in every tab; signs out here even if the server cannot be reached. */
export async function signOut(): Promise<void> {
  const token = session.status === 'signed-in' ? session.token : null;
  endSession('chosen');
  if (token === null) return;
  await fetch('/api/v1/auth/logout', {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'X-Session-Mode': 'cookie' },
  }).catch(() => undefined);
}

export function endSession(reason: 'chosen' | 'ended'): void {
  remember(false);
  if (session.status !== 'signed-out') set({ status: 'signed-out', reason });
  post({ type: 'end', reason });
}

export function updateSessionUser(user: User): void {
  if (session.status !== 'signed-in') return;
  set({ ...session, user });
  post({ type: 'adopt', session });
}

/** A token that will last for the next call, or null when signed out. */
export async function currentToken(): Promise<string | null> {
  if (session.status !== 'signed-in') return null;
  if (session.expiresAt - Date.now() > RENEW_BEFORE_MS) return session.token;
  return refreshSession(session.token);
}

/**
 * Renews the pair, unless another tab or call has replaced `stale` meanwhile. Null when the session is over; throws
 * when the server cannot be reached, and then the session stays as it is.
 */
export function refreshSession(stale?: string): Promise<string | null> {
  return alone(async () => {
    if (session.status === 'signed-in' && stale !== undefined && session.token !== stale) return session.token;
    if (session.status === 'signed-out') return null;
    try {
      adopt(await postAuth('/api/v1/auth/refresh', {}));
    } catch (error) {
      const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
      if (!refused) throw error;
      endSession('ended');
      return null;
    }
    const now = getSession();
    return now.status === 'signed-in' ? now.token : null;
  });
}

let running: Promise<string | null> | null = null;

function alone(work: () => Promise<string | null>): Promise<string | null> {
  if (running !== null) return running;
  const locks = typeof navigator === 'undefined' ? undefined : navigator.locks;
  const task = locks ? (locks.request('purser-refresh', work) as unknown as Promise<string | null>) : work();
  running = task.finally(() => {
    running = null;
  });
  return running;
}

async function postAuth(path: string, body: object): Promise<TokenAnswer> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Session-Mode': 'cookie' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const late = error instanceof DOMException && error.name === 'TimeoutError';
    throw new ApiError(late ? 'timeout' : 'network', 0, null);
  }
  if (!response.ok) throw await errorFromResponse(response);
  return (await response.json()) as TokenAnswer;
}

function adopt(answer: TokenAnswer): User {
  remember(true);
  const expiresAt = Date.now() + answer.expires_in * 1000;
  set({ status: 'signed-in', user: answer.user, token: answer.access_token, expiresAt });
  post({ type: 'adopt', session });
  return answer.user;
}

function remember(value: boolean): void {
  try {
    localStorage.setItem(FLAG, value ? '1' : '0');
  } catch {
    // Storage may be closed to us; then every start asks the server.
  }
}

function remembered(): boolean {
  try {
    return localStorage.getItem(FLAG) === '1';
  } catch {
    return true;
  }
}
