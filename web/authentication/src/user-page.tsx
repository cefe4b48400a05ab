/** One account, by its id. */
import type { ReactNode } from 'react';
import type { User } from '@purser/api';
import { ApiError } from '@purser/api';
import { Anchor, Button, Card, EmptyState, ErrorState, Group, Link, Page, PageHeader, Skeleton, Stack, Text, useParams } from '@purser/ui';
import { formatDateTime } from '@purser/ui/pages';
import { RoleBadge, RoleButton } from './role';
import { useOneUser } from './user-requests';

export default function UserPage() {
  const { id = '' } = useParams();
  const query = useOneUser(id);
  return (
    <Page size="sm">
      <Anchor component={Link} to="/admin/users" size="sm">← Users</Anchor>
      {query.isPending && <div role="status" aria-label="Loading"><Stack><Skeleton height={34} width={220} /><Skeleton height={240} radius="lg" /></Stack></div>}
      {query.data !== undefined && <Account user={query.data} />}
      {query.data === undefined && query.isError && (isUnknown(query.error) ? <Unknown /> : <ErrorState error={query.error} onRetry={() => void query.refetch()} />)}
    </Page>
  );
}

function Account({ user }: { user: User }) {
  return (
    <>
      <PageHeader title={user.name} text={<span className="prose-line">{user.email}</span>} actions={<RoleButton user={user} />} />
      <Card>
        <Stack component="dl" m={0} gap="sm">
          <Fact name="Role"><RoleBadge role={user.role} /></Fact>
          <Fact name="Id"><span className="prose-line">{user.id}</span></Fact>
          <Fact name="Since">{formatDateTime(user.created_at)}</Fact>
          <Fact name="Changed">{formatDateTime(user.updated_at)}</Fact>
        </Stack>
      </Card>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return <Group justify="space-between" gap="xs"><Text component="dt" c="dimmed" size="sm">{name}</Text><Text component="dd" m={0} size="sm" className="numeric">{children}</Text></Group>;
}

function Unknown() {
  return <EmptyState icon="search" title="There is no such user" text="The id may be mistyped, or the account is gone." action={<Button component={Link} to="/admin/users">To all users</Button>} />;
}

function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && [400, 404, 422].includes(error.status);
}
