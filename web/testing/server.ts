/** A server for component tests: a table of answers in place of fetch, and a list of what was asked. */
import { vi } from 'vitest';

export interface Asked { method: string; path: string; search: URLSearchParams; headers: Headers; body: unknown }
type Answer = { status?: number; body?: unknown; headers?: Record<string, string> } | Error;
export type Answers = Record<string, Answer | ((asked: Asked) => Answer | Promise<Answer>)>;

/** Keys are "METHOD /path"; what is not in the table answers 404. */
export function serve(answers: Answers): { asked: Asked[]; answers: Answers } {
  const asked: Asked[] = [];
  vi.stubGlobal('fetch', async (input: Request | string, init?: RequestInit) => {
    const one = await read(input, init);
    asked.push(one);
    const found = answers[`${one.method} ${one.path}`];
    const answer = typeof found === 'function' ? await found(one) : found;
    if (answer instanceof Error) throw answer;
    if (answer === undefined) return reply({ status: 404, body: problem(404, 'not-found', 'Not found') });
    return reply(answer);
  });
  return { asked, answers };
}

export function problem(status: number, name: string, title: string, more: object = {}) {
  return { type: `/problems/${name}`, title, status, request_id: 'r1', ...more };
}

export const refused = (status: number, name: string, title: string, more: object = {}, headers: Record<string, string> = {}): Answer =>
  ({ status, body: problem(status, name, title, more), headers });

async function read(input: Request | string, init?: RequestInit): Promise<Asked> {
  const request = typeof input === 'string' ? new Request(new URL(input, location.origin), { ...init, signal: null }) : input;
  const url = new URL(request.url);
  const text = request.method === 'GET' ? '' : await request.clone().text();
  return { method: request.method, path: url.pathname, search: url.searchParams, headers: new Headers(request.headers), body: text === '' ? null : JSON.parse(text) };
}

function reply(answer: Exclude<Answer, Error>): Response {
  const { status = 200, body, headers = {} } = answer;
  const type = status >= 400 ? 'application/problem+json' : 'application/json';
  return new Response(body === undefined ? null : JSON.stringify(body), { status, headers: { 'Content-Type': type, ...headers } });
}
