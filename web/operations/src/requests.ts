/** Every call of the operations pages. */
import { api, call } from '@purser/api';
import { useQuery } from '@purser/ui';
import { useInfiniteQuery } from '@purser/ui/pages';

const STATUS_EVERY_MS = 2000;

export function useStatus() {
  return useQuery({
    queryKey: ['operations', 'status'],
    queryFn: () => call(api.GET('/api/v1/operations/status')),
    refetchInterval: STATUS_EVERY_MS,
  });
}

export function useDeadLetters() {
  return useInfiniteQuery({
    queryKey: ['operations', 'dead-letters'],
    initialPageParam: undefined as string | undefined,
    refetchInterval: 10_000,
    queryFn: ({ pageParam }) => call(api.GET('/api/v1/operations/dead-letters', { params: { query: { limit: 20, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

export function useLedger() {
  return useQuery({ queryKey: ['operations', 'ledger'], queryFn: () => call(api.GET('/api/v1/operations/ledger')) });
}

export function retryDeadLetter(id: string) {
  return call(api.POST('/api/v1/operations/dead-letters/{id}/retry', { params: { path: { id } } }));
}

export function dropDeadLetter(id: string) {
  return call(api.DELETE('/api/v1/operations/dead-letters/{id}', { params: { path: { id } } }));
}
