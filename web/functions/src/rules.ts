/** Small decisions of the functions pages. */
import type { FunctionInfo } from '@purser/api';
import type { Draft } from './requests';

export const TEMPLATE = `// Called with an event; what it returns, as JSON, is the result.
function handler(event, context) {
  console.log('called with', event);
  return { hello: event.name ?? 'world' };
}
`;

export const NEW_DRAFT: Draft = { source: TEMPLATE, timeout_ms: 1000, memory_mb: 64, triggers: [], access: 'admin' };

export function draftOf(info: FunctionInfo): Draft {
  const { source = '', timeout_ms, memory_mb, triggers, access } = info;
  return { source, timeout_ms, memory_mb, triggers, access };
}

export function nameProblem(name: string): string | null {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(name) ? null : 'Lower-case letters, digits and hyphens';
}

/** Whether every complaint of a refusal is about something that the form has, so that nothing remains to be said below it. */
export function isPlaced(errors: Record<string, string>): boolean {
  const fields = Object.keys(errors).map((path) => path.split('.')[0]!);
  return fields.length > 0 && fields.every((field) => field === 'name' || field in NEW_DRAFT);
}

/** One trigger a line, as typed. */
export function parseTriggers(text: string): string[] {
  return text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
}

export function parseInput(text: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { problem: `Not valid JSON: ${error instanceof Error ? error.message : ''}` };
  }
}

/** A log line as text, whichever of its two forms it came in. */
export function logText(line: unknown): string {
  if (typeof line === 'string') return line;
  const entry = line as { level?: string; message?: string } | null;
  if (typeof entry?.message === 'string') return entry.level && entry.level !== 'log' ? `[${entry.level}] ${entry.message}` : entry.message;
  return JSON.stringify(line);
}

/** An error as text, whichever form it came in. */
export function errorText(error: unknown): string {
  if (error === null || error === undefined) return '';
  if (typeof error === 'string') return error;
  const { message = '', stack } = error as { message?: string; stack?: string | null };
  return stack ? `${message}\n${stack}` : message;
}
