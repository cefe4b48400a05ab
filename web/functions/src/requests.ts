/** Every call about functions. */
import { api, call } from '@purser/api';
import type { FunctionInfo } from '@purser/api';
import { useQuery } from '@purser/ui';
import { useInfiniteQuery } from '@purser/ui/pages';

export interface Draft {
  source: string;
  timeout_ms: number;
  memory_mb: number;
  triggers: string[];
  access: FunctionInfo['access'];
}

export function useFunctions() {
  return useInfiniteQuery({
    queryKey: ['functions', 'list'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => call(api.GET('/api/v1/functions', { params: { query: { limit: 50, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

export function useFunction(name: string) {
  return useQuery({
    queryKey: ['functions', 'one', name],
    queryFn: () => call(api.GET('/api/v1/functions/{name}', { params: { path: { name } } })),
  });
}

export function useVersions(name: string) {
  return useQuery({
    queryKey: ['functions', 'versions', name],
    queryFn: () => call(api.GET('/api/v1/functions/{name}/versions', { params: { path: { name }, query: { limit: 100 } } })),
  });
}

export function useLogs(name: string) {
  return useQuery({
    queryKey: ['functions', 'logs', name],
    refetchInterval: 5000,
    queryFn: () => call(api.GET('/api/v1/functions/{name}/logs', { params: { path: { name }, query: { limit: 50 } } })),
  });
}

export function createFunction(name: string, draft: Draft, key: string): Promise<FunctionInfo> {
  return call(api.POST('/api/v1/functions', { body: { name, ...draft }, params: { header: { 'Idempotency-Key': key } } }));
}

export function deployFunction(name: string, draft: Draft): Promise<FunctionInfo> {
  return call(api.PUT('/api/v1/functions/{name}', { params: { path: { name } }, body: draft }));
}

export function rollBack(name: string, version: number, key: string): Promise<FunctionInfo> {
  return call(api.POST('/api/v1/functions/{name}/rollback', { body: { version }, params: { path: { name }, header: { 'Idempotency-Key': key } } }));
}

export function removeFunction(name: string) {
  return call(api.DELETE('/api/v1/functions/{name}', { params: { path: { name } } }));
}

export async function invoke(name: string, input: unknown, key: string) {
  const { data, response, error } = await api.POST('/api/v1/functions/{name}/invocations', {
    params: { path: { name }, header: { 'Idempotency-Key': key } }, body: input as never,
  });
  if (response.ok) return { ok: true as const, answer: data as { result: unknown; logs: unknown[]; duration_ms: number; version: number } };
  return { ok: false as const, problem: error as { title?: string; detail?: string; error?: { message: string; stack?: string | null }; logs?: unknown[] } | undefined };
}
