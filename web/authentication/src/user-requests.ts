/** What administrators ask and change about accounts. */
import { api, call } from '@purser/api';
import type { User } from '@purser/api';
import { useQuery, useQueryClient } from '@purser/ui';
import { useInfiniteQuery } from '@purser/ui/pages';

export function useUsers() {
  return useInfiniteQuery({
    queryKey: ['users', 'all'],
    initialPageParam: undefined as string | undefined,
    queryFn: ({ pageParam }) => call(api.GET('/api/v1/users', { params: { query: { limit: 50, cursor: pageParam } } })),
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
}

export function useOneUser(id: string) {
  return useQuery({ queryKey: ['users', 'one', id], queryFn: () => call(api.GET('/api/v1/users/{id}', { params: { path: { id } } })) });
}

export function useChangeRole() {
  const client = useQueryClient();
  return async (user: User, role: User['role']) => {
    await call(api.PATCH('/api/v1/users/{id}', { params: { path: { id: user.id } }, body: { role } }));
    await client.invalidateQueries({ queryKey: ['users'] });
  };
}
