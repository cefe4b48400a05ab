/** The query cache, with the application's ideas of retries and freshness. */
import { QueryClient } from '@tanstack/react-query';
import { retryDelayMs, shouldRetry } from '@purser/api';

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry: shouldRetry, retryDelay: retryDelayMs, staleTime: 10_000, networkMode: 'always' },
      mutations: { retry: false, networkMode: 'always' },
    },
  });
}
