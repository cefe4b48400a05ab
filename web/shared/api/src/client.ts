/** The typed client. Every call goes through `send`: it adds the token, renews it once on a 401, and limits the wait. */
import createClient from 'openapi-fetch';
import type { paths } from './schema';
import { ApiError, errorFromResponse } from './problems';
import { currentToken, refreshSession } from './session';

const TIMEOUT_MS = 30_000;

export const api = createClient<paths>({
  baseUrl: typeof location === 'undefined' ? '' : location.origin,
  fetch: send,
});

/** Awaits a call and returns its data, or throws an ApiError. */
export async function call<T>(pending: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data, response } = await pending;
  if (!response.ok) throw errors.get(response) ?? new ApiError('problem', response.status, null);
  return data as T;
}

const errors = new WeakMap<Response, ApiError>();

async function send(request: Request): Promise<Response> {
  const token = await currentToken();
  let response = await attempt(token === null ? request : request.clone(), token);
  if (response.status === 401 && token !== null) {
    const fresh = await refreshSession(token);
    if (fresh !== null) response = await attempt(request, fresh);
  }
  if (!response.ok) errors.set(response, await errorFromResponse(response.clone()));
  return response;
}

async function attempt(request: Request, token: string | null): Promise<Response> {
  if (token !== null) request.headers.set('Authorization', `Bearer ${token}`);
  try {
    return await fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]) });
  } catch (error) {
    if (request.signal.aborted) throw error;
    const late = error instanceof DOMException && error.name === 'TimeoutError';
    throw new ApiError(late ? 'timeout' : 'network', 0, null);
  }
}
