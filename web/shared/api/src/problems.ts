/** What can go wrong with a call, in one class, with words for people and a place for each bad field. */
import type { components } from './schema';

export type Problem = components['schemas']['Problem'] & { total?: number; currency?: string };

type Kind = 'network' | 'timeout' | 'problem';

export class ApiError extends Error {
  constructor(
    readonly kind: Kind,
    readonly status: number,
    readonly problem: Problem | null,
    readonly retryAfterS: number | null = null,
  ) {
    super(problem?.detail ?? problem?.title ?? kind);
    this.name = 'ApiError';
  }

  /** The last part of the problem's type: `price-changed`, `out-of-stock` and so on. */
  get code(): string {
    return this.problem?.type?.split('/').pop() ?? this.kind;
  }
}

export async function errorFromResponse(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get('Retry-After'));
  const retryAfter = response.headers.has('Retry-After') && Number.isFinite(seconds) ? seconds : null;
  let problem: Problem | null = null;
  try {
    const body: unknown = await response.json();
    if (body !== null && typeof body === 'object' && 'title' in body) problem = body as Problem;
  } catch {
    problem = null;
  }
  return new ApiError('problem', response.status, problem, retryAfter);
}

/** Bad fields by their dotted path: `{"items.0.quantity": "only 1 is left"}`. */
export function fieldErrors(error: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  if (!(error instanceof ApiError)) return found;
  for (const { pointer, detail } of error.problem?.errors ?? []) {
    const path = pointer.split('/').slice(1).map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~')).join('.');
    if (path !== '' && !(path in found)) found[path] = sentence(detail);
  }
  return found;
}

/** A title and a text for a screen. Never a stack, never a status number alone. */
export function describeError(error: unknown): { title: string; detail: string } {
  if (!(error instanceof ApiError)) {
    return { title: 'Something went wrong', detail: 'An unexpected error occurred. Please try again.' };
  }
  if (error.kind === 'network') {
    return { title: 'Can’t reach the server', detail: 'Check your connection. Nothing you entered is lost.' };
  }
  if (error.kind === 'timeout') {
    return { title: 'This is taking too long', detail: 'The server did not answer in time. Please try again.' };
  }
  if (error.status === 429) return { title: 'One moment, please', detail: waitText(error) };
  if (error.status === 503) {
    return { title: 'Not available right now', detail: `This should be back shortly. ${waitText(error)}` };
  }
  if (error.status >= 500 && error.status !== 504) {
    return { title: 'Something went wrong on our side', detail: `Please try again.${reference(error)}` };
  }
  return { title: error.problem?.title ?? 'This did not work', detail: sentence(error.problem?.detail ?? '') };
}

/** Whether time alone may mend it: the server is away, busy, or out of reach. */
export function isPassing(error: unknown): boolean {
  return error instanceof ApiError && (error.kind !== 'problem' || error.status === 429 || error.status >= 502);
}

/** Whether a read is worth repeating by itself. */
export function shouldRetry(failures: number, error: unknown): boolean {
  return isPassing(error) && failures < 3;
}

/** Milliseconds before the next try: what the server asks for, else exponential with jitter. */
export function retryDelayMs(failures: number, error: unknown): number {
  if (error instanceof ApiError && error.retryAfterS !== null) return Math.min(error.retryAfterS, 30) * 1000 + 50;
  return Math.min(500 * 2 ** failures, 8000) * (0.5 + Math.random() / 2);
}

function waitText(error: ApiError): string {
  const seconds = error.retryAfterS;
  if (seconds === null || seconds <= 1) return 'Please try again in a moment.';
  return `Please try again in ${seconds} seconds.`;
}

function reference(error: ApiError): string {
  return error.problem?.request_id ? ` Reference: ${error.problem.request_id}.` : '';
}

function sentence(text: string): string {
  return text === '' ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
