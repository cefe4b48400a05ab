import { describe, expect, it } from 'vitest';
import { ApiError, describeError, fieldErrors, retryDelayMs, shouldRetry } from '@purser/api';
import { problem } from '../../../testing/server';

const failed = (status: number, more = {}, retry: number | null = null) => new ApiError('problem', status, problem(status, 'x', 'Title', more) as never, retry);

describe('fieldErrors', () => {
  it('turns JSON pointers into paths, first word wins', () => {
    const error = failed(422, { errors: [
      { pointer: '/items/0/quantity', detail: 'only 1 is left' }, { pointer: '/email', detail: 'is taken' },
      { pointer: '/email', detail: 'again' }, { pointer: '/a~1b/c~0d', detail: 'x' }, { pointer: '', detail: 'whole body' },
    ] });
    expect(fieldErrors(error)).toEqual({ 'items.0.quantity': 'Only 1 is left', email: 'Is taken', 'a/b.c~d': 'X' });
  });

  it('is empty for anything else', () => {
    expect(fieldErrors(new Error('x'))).toEqual({});
    expect(fieldErrors(new ApiError('network', 0, null))).toEqual({});
  });
});

describe('describeError', () => {
  it.each([
    [new ApiError('network', 0, null), 'Can’t reach the server', 'Nothing you entered is lost'],
    [new ApiError('timeout', 0, null), 'This is taking too long', 'try again'],
    [failed(429, {}, 7), 'One moment, please', '7 seconds'],
    [failed(503), 'Not available right now', 'back shortly'],
    [failed(500), 'Something went wrong on our side', 'Reference: r1'],
    [failed(409, { detail: 'the order is shipped' }), 'Title', 'The order is shipped'],
    [new TypeError('x is undefined'), 'Something went wrong', 'unexpected'],
  ])('%s', (error, title, detail) => {
    const words = describeError(error);
    expect(words.title).toBe(title);
    expect(words.detail).toContain(detail);
  });
});

describe('retries', () => {
  it('repeats reads only after what may pass', () => {
    expect(shouldRetry(0, new ApiError('network', 0, null))).toBe(true);
    expect(shouldRetry(0, failed(429))).toBe(true);
    expect(shouldRetry(0, failed(503))).toBe(true);
    expect(shouldRetry(3, failed(503))).toBe(false);
    expect(shouldRetry(0, failed(404))).toBe(false);
    expect(shouldRetry(0, new Error('bug'))).toBe(false);
  });

  it('waits as long as the server asks', () => {
    expect(retryDelayMs(0, failed(429, {}, 4))).toBe(4050);
    expect(retryDelayMs(9, failed(503))).toBeLessThanOrEqual(8000);
  });
});
