/** Everybody who has an account: newest first, or one by the id that logs and orders show. */
import type { User } from '@purser/api';
import { Anchor, Button, Card, EmptyState, ErrorState, Group, Icon, Link, Page, PageHeader, Skeleton, Stack, Text, TextInput, useFirstWrong, useForm, useNavigate } from '@purser/ui';
import { DataTable, formatDateTime, LoadMore } from '@purser/ui/pages';
import type { Column } from '@purser/ui/pages';
import { RoleBadge, RoleButton } from './role';
import { useUsers } from './user-requests';

const COLUMNS: Column<User>[] = [
  { title: 'Name', cell: (user) => <><Anchor component={Link} to={`/admin/users/${user.id}`} fw={550} className="prose-line">{user.name}</Anchor><Text size="sm" c="dimmed" className="prose-line">{user.email}</Text></> },
  { title: 'Role', cell: (user) => <RoleBadge role={user.role} /> },
  { title: 'Since', cell: (user) => formatDateTime(user.created_at) },
  { title: 'Actions', action: true, cell: (user) => <RoleButton user={user} /> },
];
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
  const form = useForm({ initialValues: { id: '' }, validate: { id: (id) => (ID.test(id.trim()) ? null : 'This is not a user’s id') } });
  const [ref, refused] = useFirstWrong<HTMLFormElement>(null);
  return (
    <form ref={ref} noValidate className="look-up" onSubmit={form.onSubmit(({ id }) => navigate(`/admin/users/${id.trim().toLowerCase()}`), refused)}>
      <Group gap="xs" align="flex-start" wrap="nowrap">
        <TextInput aria-label="A user’s id" placeholder="A user’s id" leftSection={<Icon name="search" />} style={{ flex: 1 }} {...form.getInputProps('id')} />
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
  return <DataTable label="Users" columns={COLUMNS} rows={users} rowKey={(user) => user.id} />;
}
