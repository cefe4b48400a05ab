import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import type { FunctionInfo } from '@purser/api';
import { draw } from '../../testing/render';
import { page, user as ada } from '../../testing/data';
import { refused, serve } from '../../testing/server';
import App from '../src/app';
import { errorText, logText, nameProblem, parseInput, parseTriggers } from '../src/rules';

vi.mock('../src/editor', () => ({
  Editor: ({ value, label, wrong, onChange }: { value: string; label: string; wrong: boolean; onChange: (text: string) => void }) => <textarea aria-label={label} aria-invalid={wrong} value={value} onChange={(event) => onChange(event.currentTarget.value)} />,
}));

const greet: FunctionInfo = { name: 'greet', version: 2, source: 'function handler() {}', timeout_ms: 1000, memory_mb: 64, triggers: [], access: 'user', builtin: false, created_at: ada.created_at };
const ONE = 'GET /api/v1/functions/greet';

describe('the list', () => {
  it('shows functions with what calls them', async () => {
    serve({ 'GET /api/v1/functions': page(greet, { ...greet, name: 'format-order', builtin: true, triggers: ['order.created'] }) });
    draw(<App />, '/functions');
    expect(await screen.findByText('On order.created')).toBeTruthy();
    expect(screen.getByText('Built in')).toBeTruthy();
  });
});

describe('a new function', () => {
  it('is deployed and opened', async () => {
    const { asked } = serve({ 'POST /api/v1/functions': { status: 201, body: { ...greet, version: 1 } }, [ONE]: { body: greet }, 'GET /api/v1/functions': page() });
    const { user } = draw(<App />, '/functions/new');
    await user.type(screen.getByLabelText('Name'), 'greet');
    await user.type(screen.getByLabelText(/^Triggers/), 'order.created\n');
    await user.click(screen.getByRole('button', { name: 'Deploy' }));
    await waitFor(() => expect(screen.getByTestId('where').textContent).toBe('/functions/greet'));
    const post = asked.find((one) => one.method === 'POST');
    expect(post?.body).toMatchObject({ name: 'greet', triggers: ['order.created'], access: 'admin' });
    expect(post?.headers.has('Idempotency-Key')).toBe(true);
  });

  it('keeps the source when it does not parse, with the words at it', async () => {
    serve({ 'POST /api/v1/functions': refused(422, 'invalid', 'Invalid input', { errors: [{ pointer: '/source', detail: 'line 3: unexpected token' }] }) });
    const { user } = draw(<App />, '/functions/new');
    await user.type(screen.getByLabelText('Name'), 'greet');
    await user.click(screen.getByRole('button', { name: 'Deploy' }));
    expect(await screen.findByText('Line 3: unexpected token')).toBeTruthy();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText('Source')));
    expect(screen.queryByText('Invalid input')).toBeNull();
    expect((screen.getByLabelText('Source') as HTMLTextAreaElement).value).toContain('function handler');
  });
});

describe('a name that cannot be', () => {
  it('is not sent, and has the focus', async () => {
    const { asked } = serve({});
    const { user } = draw(<App />, '/functions/new');
    await user.type(screen.getByLabelText('Name'), 'Not This');
    await user.click(screen.getByRole('button', { name: 'Deploy' }));
    expect(await screen.findByText('Lower-case letters, digits and hyphens')).toBeTruthy();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText('Name')));
    expect(asked.filter((one) => one.method === 'POST')).toHaveLength(0);
  });
});

describe('trying', () => {
  async function openTry(answer: Parameters<typeof serve>[0][string]) {
    const table = serve({ [ONE]: { body: greet }, 'POST /api/v1/functions/greet/invocations': answer });
    const view = draw(<App />, '/functions/greet');
    await view.user.click(await screen.findByRole('tab', { name: 'Try' }));
    return { ...view, ...table };
  }

  it('shows the result and the logs', async () => {
    const { user } = await openTry({ body: { result: { hello: 'Ada' }, logs: ['called', { level: 'warn', message: 'careful' }], duration_ms: 0.41, version: 2 } });
    await user.click(await screen.findByRole('button', { name: 'Call it' }));
    expect((await screen.findByTestId('outcome')).textContent).toContain('"hello": "Ada"');
    expect(screen.getByText(/\[warn\] careful/)).toBeTruthy();
  });

  it('shows the error and its stack', async () => {
    const { user } = await openTry(refused(422, 'function-failed', 'Function failed', { detail: 'boom', error: { message: 'boom', stack: 'handler@greet:1:1' } }));
    await user.click(await screen.findByRole('button', { name: 'Call it' }));
    expect((await screen.findByTestId('outcome')).textContent).toBe('boom\nhandler@greet:1:1');
  });

  it('does not send what is no JSON', async () => {
    const { user, asked } = await openTry({ body: {} });
    await user.type(await screen.findByLabelText('Input, as JSON'), 'x');
    await user.click(screen.getByRole('button', { name: 'Call it' }));
    expect(await screen.findByText(/Not valid JSON/)).toBeTruthy();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByLabelText('Input, as JSON')));
    expect(asked.filter((one) => one.method === 'POST')).toHaveLength(0);
  });
});

describe('versions', () => {
  it('goes back to an earlier one', async () => {
    const { asked } = serve({ [ONE]: { body: greet }, 'GET /api/v1/functions/greet/versions': page({ version: 2, created_at: ada.created_at }, { version: 1, created_at: ada.created_at }), 'POST /api/v1/functions/greet/rollback': { body: { ...greet, version: 1 } } });
    const { user } = draw(<App />, '/functions/greet');
    await user.click(await screen.findByRole('tab', { name: 'Versions' }));
    await user.click(await screen.findByRole('button', { name: 'Go back to 1' }));
    await waitFor(() => expect(asked.find((one) => one.path.endsWith('/rollback'))?.body).toEqual({ version: 1 }));
  });
});

describe('rules', () => {
  it('reads what is typed', () => {
    expect(parseTriggers(' order.created \n\n cron: 0 6 * * *\n')).toEqual(['order.created', 'cron: 0 6 * * *']);
    expect(parseInput('{"a":1}')).toEqual({ value: { a: 1 } });
    expect(parseInput('{')).toHaveProperty('problem');
    expect(nameProblem('say-hello')).toBeNull();
    expect(nameProblem('Say hello')).not.toBeNull();
  });

  it('reads logs and errors in either form', () => {
    expect(logText('x')).toBe('x');
    expect(logText({ message: 'x', level: 'log' })).toBe('x');
    expect(logText({ odd: 1 })).toBe('{"odd":1}');
    expect(errorText('boom')).toBe('boom');
    expect(errorText(null)).toBe('');
  });
});
