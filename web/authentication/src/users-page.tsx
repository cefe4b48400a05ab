/** Everybody who has an account: newest first, or one by the id that logs and orders show. */
import { useState } from 'react';
import type { SubmitEvent } from 'react';
import type { User } from '@purser/api';
import { Anchor, Button, Card, EmptyState, ErrorState, formatDateTime, Group, Icon, Link, LoadMore, Page, PageHeader, Skeleton, Stack, Table, Text, TextInput, useNavigate, VisuallyHidden } from '@purser/ui';
import { RoleBadge, RoleButton } from './role';
import { useUsers } from './user-requests';

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export default function UsersPage() {
  const pages = useUsers();
  return (
    <Page size="xl">
      <PageHeader title="Users" text="Who has an account, and who may administer." actions={<LookUp />} />
      <Card padding={0}><Body pages={pages} /></Card>
      <LoadMore pages={pages} />
    </Page>
  );
}

function LookUp() {
  const navigate = useNavigate();
  const [id, setId] = useState('');
  const [complaint, setComplaint] = useState<string | null>(null);
  const go = (event: SubmitEvent) => {
    event.preventDefault();
    if (ID.test(id.trim())) navigate(`/admin/users/${id.trim().toLowerCase()}`);
    else setComplaint('This is not a user’s id');
  };
  return (
    <form onSubmit={go} className="look-up">
      <Group gap="xs" align="flex-start" wrap="nowrap">
        <TextInput aria-label="A user’s id" placeholder="A user’s id" value={id} error={complaint} leftSection={<Icon name="search" />} style={{ flex: 1 }}
          onChange={(event) => { setId(event.currentTarget.value); setComplaint(null); }} />
        <Button type="submit" variant="default" size="md">Look up</Button>
      </Group>
    </form>
  );
}

function Body({ pages }: { pages: ReturnType<typeof useUsers> }) {
  if (pages.isPending) return <Stack p="md" role="status" aria-label="Loading">{[0, 1, 2, 3, 4].map((n) => <Skeleton key={n} height={48} />)}</Stack>;
  if (pages.data === undefined) return <ErrorState error={pages.error} onRetry={() => void pages.refetch()} />;
  const users = pages.data.pages.flatMap((page) => page.data);
  if (users.length === 0) return <EmptyState icon="user" title="Nobody yet" text="Who registers is listed here." />;
  return (
    <Table.ScrollContainer minWidth={280} type="native" tabIndex={0} role="region" aria-label="Users">
      <Table horizontalSpacing="lg">
        <Table.Thead><Table.Tr><Table.Th>Name</Table.Th><Table.Th>Role</Table.Th><Table.Th visibleFrom="sm">Since</Table.Th><Table.Th visibleFrom="sm"><VisuallyHidden>Actions</VisuallyHidden></Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>{users.map((user) => <Row key={user.id} user={user} />)}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({ user }: { user: User }) {
  return (
    <Table.Tr>
      <Table.Td><Stack gap={0}><Anchor component={Link} to={`/admin/users/${user.id}`} fw={550} className="prose-line">{user.name}</Anchor><Text size="sm" c="dimmed" className="prose-line">{user.email}</Text></Stack></Table.Td>
      <Table.Td><RoleBadge role={user.role} /></Table.Td>
      <Table.Td visibleFrom="sm" style={{ whiteSpace: 'nowrap' }}>{formatDateTime(user.created_at)}</Table.Td>
      <Table.Td visibleFrom="sm" ta="right"><RoleButton user={user} /></Table.Td>
    </Table.Tr>
  );
}
